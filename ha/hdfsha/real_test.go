//go:build realhadoop && long

package hdfsha

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/hatest"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
)

func openHDFS(t *testing.T, c *devcluster.Cluster) fs.FileSystem {
	t.Helper()
	conf, err := hadoopconf.LoadDirs(nil, c.ConfDir())
	if err != nil {
		t.Fatal(err)
	}
	store, err := hdfs.New(conf, "", hdfs.Options{User: c.User()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close HDFS: %v", err)
		}
	})
	return store
}

func TestConformanceOnHDFS(t *testing.T) {
	store := openHDFS(t, devcluster.Shared(t))
	base := store.Home() + "/ha-conformance"
	t.Cleanup(func() {
		if err := store.Delete(context.WithoutCancel(t.Context()), base, true); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	var sites atomic.Int32
	hatest.Run(t, hatest.Harness{Short: 3 * time.Second, Long: 2 * time.Minute, New: func(*testing.T) hatest.Site {
		return site(store, fmt.Sprintf("%s/%d", base, sites.Add(1)))
	}})
}

// TestNameNodeRestart kills the NameNode under a leader and a stand-by. The leader leads on when it is back; fencing holds after it.
func TestNameNodeRestart(t *testing.T) {
	c := devcluster.Private(t, devcluster.Options{HDFSOnly: true, DataNodes: 1})
	store := openHDFS(t, c)
	open := func() *Store {
		s, err := Open(Options{Files: store, Dir: store.Home() + "/ha", Cluster: "one", Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return s
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	a, b, key := open(), open(), ha.Key{Kind: ha.Checkpoint, Job: id.NewJob()}
	old, err := a.Campaign(ctx, ha.Candidate{Identity: "a", Group: "g", Attempt: 1, Lease: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Put(ctx, key, []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := c.KillDaemon("namenode"); err != nil {
		t.Fatal(err)
	}
	late := make(chan error, 1)
	go func() { late <- old.Put(ctx, key, []byte("2")) }()
	if err := c.StartDaemon(ctx, "namenode"); err != nil {
		t.Fatal(err)
	}
	for err := <-late; err != nil; err = old.Put(ctx, key, []byte("2")) {
		if ctx.Err() != nil || old.Cause() != nil {
			t.Fatalf("the leader does not publish after the NameNode's restart: %v", err)
		}
	}
	term, err := b.Campaign(ctx, ha.Candidate{Identity: "b", Group: "g", Attempt: 2, Supersedes: true})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := b.Get(ctx, key); err != nil || string(v) != "2" {
		t.Errorf("the value is %q, %v; expected 2", v, err)
	}
	if err := old.Put(ctx, key, []byte("late")); !errors.Is(err, ha.ErrFenced) {
		t.Errorf("the old leader publishes: %v, expected %v", err, ha.ErrFenced)
	}
	if err := term.Put(ctx, key, []byte("3")); err != nil {
		t.Error(err)
	}
}
