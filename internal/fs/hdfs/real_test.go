//go:build realhadoop

package hdfs_test

import (
	"testing"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/fstest"
	"github.com/weft-project/weft/internal/fs/hdfs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
)

// openStore opens the cluster's HDFS as its configuration says.
func openStore(t testing.TB, c *devcluster.Cluster, o hdfs.Options) fs.FileSystem {
	t.Helper()
	conf, err := hadoopconf.LoadDirs(nil, c.ConfDir())
	if err != nil {
		t.Fatal(err)
	}
	if o.User == "" && o.Kerberos == nil {
		o.User = c.User()
	}
	store, err := hdfs.New(conf, "", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return store
}

func TestConformance(t *testing.T) {
	store := openStore(t, devcluster.Shared(t), hdfs.Options{})
	fstest.Run(t, store, store.Home()+"/conformance")
}
