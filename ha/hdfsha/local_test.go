package hdfsha

import (
	"log/slog"
	"testing"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/hatest"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
)

// site makes stores in a directory of a file system.
func site(files fs.FileSystem, dir string) hatest.Site {
	return hatest.Site{
		Open: func(t *testing.T, cluster string, lease time.Duration, link *hatest.Link) ha.Store {
			s, err := Open(Options{Files: &hatest.FS{FileSystem: files, Link: link}, Dir: dir, Cluster: cluster, Lease: lease,
				Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Admin: func(*testing.T) ha.Admin { return OpenAdmin(Options{Files: files, Dir: dir}) },
	}
}

func harness() hatest.Harness {
	return hatest.Harness{Bubble: true, Short: 6 * time.Second, Long: time.Minute, New: func(t *testing.T) hatest.Site {
		return site(local.New(), t.TempDir())
	}}
}

func TestConformance(t *testing.T) { hatest.Run(t, harness()) }

// TestSimulation has every call of the file system as one step, some of them late.
func TestSimulation(t *testing.T) {
	h := harness()
	h.New = func(*testing.T) hatest.Site { return site(newMemFS(), "/ha") }
	hatest.Simulate(t, h, 1, hatest.Seeds(t, 60))
}
