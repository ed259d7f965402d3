package jobmanager_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/rpc/planpb"
)

// notes is what is written down of unfinished output.
type notes struct {
	mu    sync.Mutex
	noted map[string][]string
	err   error
}

func (n *notes) Note(_ context.Context, job string, uris []string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.noted[job] = uris
	}
	return n.err
}

func (n *notes) Forget(_ context.Context, job string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.noted, job)
	return nil
}

func (n *notes) of(job string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.noted[job]
}

// The place of unfinished output is known while the job runs and while its removal fails, and forgotten when it is gone.
func TestScratchNotes(t *testing.T) {
	n := &notes{noted: map[string][]string{}}
	c := startWith(t, 1, nil, func(o *jobmanager.Options) { o.Scratch = n })
	dir := t.TempDir()
	c.tm("a", 1)
	for _, removable := range []bool{true, false} {
		r := submission(graph(1))
		r.Graph.ScratchPaths = []string{"file://" + dir + "/.weft-{job}"}
		if !removable {
			r.Graph.ScratchPaths = append(r.Graph.ScratchPaths, "nosuch://x/{job}")
		}
		j := c.submit(r)
		scratch := filepath.Join(dir, ".weft-"+j.String())
		if err := os.Mkdir(scratch, 0o700); err != nil {
			t.Fatal(err)
		}
		await.Until(t, "something is noted", func() bool { return n.of(j.String()) != nil })
		if got := n.of(j.String()); len(got) != len(r.Graph.ScratchPaths) || got[0] != "file://"+scratch {
			t.Errorf("noted: %v", got)
		}
		if err := c.backend.Cancel(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		c.await(j, planpb.JobStatus_CANCELED)
		if _, err := os.Stat(scratch); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", scratch, err)
		}
		if left := n.of(j.String()); (left == nil) != removable {
			t.Errorf("removable %v: noted %v", removable, left)
		}
	}
	// That it cannot be written down is no reason not to run.
	n.mu.Lock()
	n.err = errors.New("no disk")
	n.mu.Unlock()
	r := submission(graph(1))
	r.Graph.ScratchPaths = []string{"file://" + dir + "/.weft-{job}"}
	j := c.submit(r)
	if err := c.backend.Cancel(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	c.await(j, planpb.JobStatus_CANCELED)
}
