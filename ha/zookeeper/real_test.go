//go:build realhadoop && long

package zookeeper_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/hatest"
	"github.com/weft-project/weft/ha/zookeeper"
	"github.com/weft-project/weft/internal/fs/local"
	"github.com/weft-project/weft/internal/zookeepertest"
)

// options are those of a process on an ensemble.
func options(t *testing.T, quorum, root string) zookeeper.Options {
	return zookeeper.Options{Quorum: quorum, Root: root, RetryWait: time.Second, Retries: 30, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

func open(t *testing.T, o zookeeper.Options) *zookeeper.Store {
	t.Helper()
	s, err := zookeeper.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConformance runs against an ensemble of three.
func TestConformance(t *testing.T) {
	e := zookeepertest.Start(t, 3)
	var sites atomic.Int32
	hatest.Run(t, hatest.Harness{Short: 4 * time.Second, Long: time.Minute, New: func(t *testing.T) hatest.Site {
		root, files := fmt.Sprintf("/weft-%d", sites.Add(1)), t.TempDir()
		with := func(lease time.Duration, link *hatest.Link) zookeeper.Options {
			o := options(t, e.Quorum(), root)
			o.SessionTimeout, o.Dial = lease, link.Dial
			o.Files, o.StorageDir = local.New(), files
			return o
		}
		return hatest.Site{
			Open: func(t *testing.T, cluster string, lease time.Duration, link *hatest.Link) ha.Store {
				o := with(lease, link)
				o.Cluster = cluster
				return open(t, o)
			},
			Admin: func(t *testing.T) ha.Admin {
				a, err := zookeeper.OpenAdmin(with(time.Minute, &hatest.Link{}))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := a.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				})
				return a
			},
		}
	}})
}
