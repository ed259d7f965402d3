package jobmanager

import (
	"context"
	"sync"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
)

// ScratchNotes keeps where the unfinished output of running jobs lies, for whoever cleans up when this process could not.
type ScratchNotes interface {
	// Note writes down the URIs of a job; Forget removes that.
	Note(ctx context.Context, job string, uris []string) error
	Forget(ctx context.Context, job string) error
}

// noteScratch begins to write down where a job's unfinished output lies. Nothing waits for it but the job's end: the first of
// that output appears when a worker has started, which takes longer.
func (m *JobManager) noteScratch(j *job) {
	paths := j.x.Graph.GetScratchPaths()
	if m.o.Scratch == nil || len(paths) == 0 {
		return
	}
	uris := make([]string, len(paths))
	for i, p := range paths {
		uris[i] = fs.ExpandJob(p, j.id.String())
	}
	noted := make(chan struct{})
	j.noted = sync.OnceFunc(func() { <-noted })
	go func() {
		defer close(noted)
		ctx, cancel := context.WithTimeout(context.Background(), cleanLimit)
		defer cancel()
		if err := m.o.Scratch.Note(ctx, j.id.String(), uris); err != nil {
			m.o.Log.Warn("where the unfinished output of a job lies could not be written down; if this process is killed it stays", "job", j.id, "paths", uris, "error", err)
		}
	}()
}

// removeScratch removes the unfinished output of a job, and then what noteScratch wrote.
func (m *JobManager) removeScratch(job id.Job, paths []string) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanLimit)
	defer cancel()
	left := false
	for _, p := range paths {
		store, path, err := m.o.Files.Get(fs.ExpandJob(p, job.String()))
		if err == nil {
			err = store.Delete(ctx, path, true)
		}
		if err != nil {
			left = true
			m.o.Log.Warn("unfinished output could not be removed", "job", job, "path", p, "error", err)
		}
	}
	if m.o.Scratch == nil || len(paths) == 0 || left {
		return
	}
	if err := m.o.Scratch.Forget(ctx, job.String()); err != nil {
		m.o.Log.Warn("the note of a job's unfinished output could not be removed", "job", job, "error", err)
	}
}
