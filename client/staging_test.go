package client

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/rpc/planpb"
)

// A NameNode that is down ends the check of a job's paths with the code for what does not answer, a path that is wrong with that
// of a wrong command line.
func TestCheckFilesWithoutNameNode(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	c, _, _ := testClient(t)
	c.hadoop = hadoopconf.New(nil)
	c.stores = fs.NewRegistry()
	c.stores.Register("hdfs", func(authority string) (fs.FileSystem, error) {
		return hdfs.New(c.hadoop, authority, hdfs.Options{User: "ada", Log: c.Log, RetryMaxWait: 1})
	})
	r := &jobRun{client: c}
	for _, g := range []*planpb.JobGraph{{Inputs: []string{"hdfs://" + address + "/in"}}, {Outputs: []string{"hdfs://" + address + "/out"}}} {
		var failure *Failure
		if err := r.checkFiles(t.Context(), g); !errors.As(err, &failure) || failure.Code != ExitUnreachable {
			t.Errorf("%v: %v", g, err)
		}
	}
	var failure *Failure
	if err := r.checkFiles(context.Background(), &planpb.JobGraph{Inputs: []string{"nosuch://x/in"}}); !errors.As(err, &failure) || failure.Code != ExitUsage {
		t.Errorf("an unknown scheme: %v", err)
	}
}
