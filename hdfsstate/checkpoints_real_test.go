//go:build realhadoop

package hdfsstate

import (
	"errors"
	"testing"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
)

// What fencing and publication rest on holds on a real NameNode: renames that fail without a source or onto a name, and files that are
// not made in a directory that is gone.
func TestCheckpointsOnHDFS(t *testing.T) {
	cluster := devcluster.Shared(t)
	conf, err := hadoopconf.LoadDirs(nil, cluster.ConfDir())
	if err != nil {
		t.Fatal(err)
	}
	var store fs.FileSystem
	if store, err = hdfs.New(conf, "", hdfs.Options{User: cluster.User()}); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	dir := store.Home() + "/checkpoints-test"
	if err := store.Delete(t.Context(), dir, true); err != nil {
		t.Fatal(err)
	}
	old := NewCheckpoints(store, dir, 1)
	fence(t, old)
	publish(t, old, checkpoint.Ref{Epoch: 1, ID: 1})
	publish(t, old, checkpoint.Ref{Epoch: 1, ID: 2})

	// A successor at each step of the third.
	for at := 1; at <= 3; at++ {
		ref := checkpoint.Ref{Epoch: uint64(10 * at), ID: int64(10 * at)}
		step := &stepFS{FileSystem: store, before: func(int) {}}
		leader := NewCheckpoints(step, dir, ref.Epoch)
		fence(t, leader)
		m, err := write(t.Context(), store, dir, ref)
		if err != nil {
			t.Fatal(err)
		}
		step.n, step.before = 0, func(n int) {
			if n == at {
				fence(t, NewCheckpoints(store, dir, ref.Epoch+1))
			}
		}
		if o, err := leader.Publish(t.Context(), m); o != checkpoint.Fenced || !errors.Is(err, ErrFenced) {
			t.Fatalf("before step %d: outcome %d, %v", at, o, err)
		}
	}
	last := NewCheckpoints(store, dir, 100)
	found := fence(t, last)
	if len(found.Completed) != 2 || found.Completed[1].ID != 2 || len(found.Damaged) > 0 || found.Next != 31 {
		t.Fatalf("%+v", found)
	}
	check(t, store, dir, found.Completed[1].Manifest)
	// A number that is taken is not published over.
	m := *found.Completed[1].Manifest
	m.Epoch = 100
	if o, err := last.Publish(t.Context(), &m); o != checkpoint.Fenced {
		t.Fatal(o, err)
	}
	if err := last.Delete(t.Context(), 1, found.Completed[0].Manifest.Files()); err != nil {
		t.Fatal(err)
	}
	coord := checkpoint.New(checkpoint.Settings{NumRetained: 1}, checkpoint.Job{}, checkpoint.Graph{}, 100, found.Next, found.Completed[1:])
	listing, err := last.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids, garbage := coord.Garbage(listing)
	if err := last.Sweep(t.Context(), ids, garbage); err != nil || len(garbage) != 3 {
		t.Fatal(err, garbage)
	}
	found = fence(t, last)
	if len(found.Completed) != 1 {
		t.Fatalf("%+v", found)
	}
	check(t, store, dir, found.Completed[0].Manifest)
}
