package site

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/zookeeper"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
)

func localFiles() (*fs.Registry, error) {
	r := fs.NewRegistry()
	r.Register("file", local.Factory)
	return r, nil
}

func TestChoice(t *testing.T) {
	dir := t.TempDir()
	for _, x := range []struct {
		values map[string]string
		want   any
		err    string
	}{
		{values: nil, err: "is NONE"},
		{values: map[string]string{"high-availability": "none"}, err: "is NONE"},
		{values: map[string]string{"high-availability": "ZOOKEEPER"}, err: "quorum is not set"},
		{values: map[string]string{"recovery.mode": "zookeeper", "recovery.zookeeper.quorum": "zk:2181", "high-availability.zookeeper.storageDir": dir}, want: &zookeeper.Store{}},
		{values: map[string]string{"high-availability.type": "zookeeper", "high-availability.zookeeper.quorum": "zk:2181",
			"high-availability.zookeeper.client.acl": "creator"}, err: "says nobody"},
		{values: map[string]string{"high-availability.type": "zookeeper", "high-availability.zookeeper.quorum": "zk:2181",
			"high-availability.zookeeper.client.ssl.enabled": "true", "high-availability.zookeeper.client.ssl.ca-file": dir + "/none"}, err: "ca-file"},
		{values: map[string]string{"high-availability.type": "hdfs", "high-availability.storageDir": "s3://x/y"}, err: "no file system"},
	} {
		store, err := Open(config.FromMap(x.values), "one", localFiles, nil)
		if x.err != "" {
			if err == nil || !strings.Contains(err.Error(), x.err) {
				t.Errorf("%v: %v, expected %q", x.values, err, x.err)
			}
			continue
		}
		if err != nil || reflect.TypeOf(store) != reflect.TypeOf(x.want) {
			t.Errorf("%v: %T, %v; expected %T", x.values, store, err, x.want)
			continue
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAuthorization(t *testing.T) {
	got, err := authorization("digest:user:pass:word, ip:10.0.0.1")
	want := []zookeeper.Auth{{Scheme: "digest", Secret: "user:pass:word"}, {Scheme: "ip", Secret: "10.0.0.1"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; expected %v", got, err, want)
	}
	if _, err := authorization("hidden"); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a bad value: %v", err)
	}
}

func TestFilesAndAdmin(t *testing.T) {
	c := config.FromMap(map[string]string{"high-availability.type": "hdfs", "high-availability.storageDir": t.TempDir()})
	store, err := Open(c, "one", localFiles, nil)
	if err != nil {
		t.Fatal(err)
	}
	term, err := store.Campaign(t.Context(), ha.Candidate{Identity: "test"})
	if err != nil {
		t.Fatal(err)
	}
	admin, where, err := OpenAdmin(c, localFiles, nil)
	if err != nil || !strings.HasPrefix(where, "file://") {
		t.Fatal(where, err)
	}
	list, err := admin.Clusters(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != "one" || !list[0].Live {
		t.Errorf("clusters %+v, %v", list, err)
	}
	if err := term.Purge(t.Context()); err != nil {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := OpenAdmin(config.New(), localFiles, nil); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
}
