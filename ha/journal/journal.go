package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/id"
)

// ErrFinished: the job has a result, so that it does not run again.
var ErrFinished = errors.New("the job has already ended")

// Checkpoint points to a completed checkpoint.
type Checkpoint struct {
	// ID counts a job's checkpoints; Path is the URI of its folder.
	ID   int64  `json:"id"`
	Path string `json:"path"`
	// Savepoint tells that it belongs to the user, who removes it.
	Savepoint bool `json:"savepoint,omitempty"`
}

// Checkpoints is all that a new leader needs to know of a job's checkpoints. It is replaced as a whole, in one step.
type Checkpoints struct {
	// Completed are those to keep, the oldest first.
	Completed []Checkpoint `json:"completed"`
	// Next is an id that no checkpoint of the job has had, abandoned ones included.
	Next int64 `json:"next"`
}

// Newest is the checkpoint to restore from; nil without one.
func (c Checkpoints) Newest() *Checkpoint {
	if len(c.Completed) == 0 {
		return nil
	}
	return &c.Completed[len(c.Completed)-1]
}

// Job is what a new leader finds of a job that has not ended.
type Job struct {
	ID          id.Job
	Graph       []byte
	Checkpoints Checkpoints
}

// Journal writes the jobs of one term. Its methods may be called concurrently for different jobs.
type Journal struct {
	store ha.Store
	term  ha.Term
}

// New makes the journal of a term in its store.
func New(store ha.Store, term ha.Term) *Journal { return &Journal{store, term} }

// Submit writes a job's graph, before the client is told that the job was taken. ErrFinished.
func (j *Journal) Submit(ctx context.Context, job id.Job, graph []byte) error {
	switch _, err := j.store.Get(ctx, ha.Key{Kind: ha.Result, Job: job}); {
	case err == nil:
		return fmt.Errorf("job %s: %w", job, ErrFinished)
	case !errors.Is(err, ha.ErrNotFound):
		return fmt.Errorf("job %s: look for its result: %w", job, err)
	}
	if err := j.term.Put(ctx, ha.Key{Kind: ha.Graph, Job: job}, graph); err != nil {
		return fmt.Errorf("job %s: store its graph: %w", job, err)
	}
	return nil
}

// checkpointsVersion is the version of the document of checkpoints.
const checkpointsVersion = 1

type checkpointsDocument struct {
	Version int `json:"version"`
	Checkpoints
}

// Publish replaces the pointers to a job's checkpoints. The newest checkpoint may be announced, and transactions committed, only when it has
// returned nil and the term still passes Check.
func (j *Journal) Publish(ctx context.Context, job id.Job, c Checkpoints) error {
	doc, err := json.Marshal(checkpointsDocument{checkpointsVersion, c})
	if err != nil {
		return fmt.Errorf("job %s: checkpoint pointers: %w", job, err)
	}
	if err := j.term.Put(ctx, ha.Key{Kind: ha.Checkpoint, Job: job}, doc); err != nil {
		return fmt.Errorf("job %s: store its checkpoint pointers: %w", job, err)
	}
	return nil
}

// Checkpoints reads the pointers to a job's checkpoints; none when there are none yet.
func (j *Journal) Checkpoints(ctx context.Context, job id.Job) (Checkpoints, error) {
	raw, err := j.store.Get(ctx, ha.Key{Kind: ha.Checkpoint, Job: job})
	if errors.Is(err, ha.ErrNotFound) {
		return Checkpoints{}, nil
	}
	if err != nil {
		return Checkpoints{}, fmt.Errorf("job %s: read its checkpoint pointers: %w", job, err)
	}
	var doc checkpointsDocument
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Checkpoints{}, fmt.Errorf("job %s: its checkpoint pointers are no JSON document: %w", job, err)
	}
	if doc.Version != checkpointsVersion {
		return Checkpoints{}, fmt.Errorf("job %s: its checkpoint pointers have version %d; this release reads %d", job, doc.Version, checkpointsVersion)
	}
	return doc.Checkpoints, nil
}

// Finish writes the job's result, before anybody is told of it, and then removes its graph and checkpoint pointers. Once the result is
// written the job has ended, whatever comes back: an error after that is of the clean-up, which Recover does again.
func (j *Journal) Finish(ctx context.Context, job id.Job, result []byte) error {
	if err := j.term.Put(ctx, ha.Key{Kind: ha.Result, Job: job}, result); err != nil {
		return fmt.Errorf("job %s: store its result: %w", job, err)
	}
	return j.clean(ctx, job)
}

func (j *Journal) clean(ctx context.Context, job id.Job) error {
	for _, kind := range []ha.Kind{ha.Graph, ha.Checkpoint} {
		if err := j.term.Delete(ctx, ha.Key{Kind: kind, Job: job}); err != nil {
			return fmt.Errorf("job %s: remove its %s: %w", job, kind, err)
		}
	}
	return nil
}

// Result reads the result of a job; ha.ErrNotFound while it has none.
func (j *Journal) Result(ctx context.Context, job id.Job) ([]byte, error) {
	return j.store.Get(ctx, ha.Key{Kind: ha.Result, Job: job})
}

// Forget removes a job's result. Only when nobody can submit the job under its id again.
func (j *Journal) Forget(ctx context.Context, job id.Job) error {
	if err := j.term.Delete(ctx, ha.Key{Kind: ha.Result, Job: job}); err != nil {
		return fmt.Errorf("job %s: remove its result: %w", job, err)
	}
	return nil
}

// Recover reads the jobs that have not ended, for a new leader, and removes what is left of those that have.
func (j *Journal) Recover(ctx context.Context) (running []Job, finished []id.Job, err error) {
	if finished, err = j.store.Jobs(ctx, ha.Result); err != nil {
		return nil, nil, fmt.Errorf("list the results of jobs: %w", err)
	}
	ended := map[id.Job]bool{}
	for _, job := range finished {
		ended[job] = true
	}
	graphs, err := j.store.Jobs(ctx, ha.Graph)
	if err != nil {
		return nil, nil, fmt.Errorf("list the graphs of jobs: %w", err)
	}
	submitted := map[id.Job]bool{}
	for _, job := range graphs {
		submitted[job] = true
		if ended[job] {
			if err := j.clean(ctx, job); err != nil {
				return nil, nil, err
			}
			continue
		}
		found := Job{ID: job}
		if found.Graph, err = j.store.Get(ctx, ha.Key{Kind: ha.Graph, Job: job}); err != nil {
			return nil, nil, fmt.Errorf("job %s: read its graph: %w", job, err)
		}
		if found.Checkpoints, err = j.Checkpoints(ctx, job); err != nil {
			return nil, nil, err
		}
		running = append(running, found)
	}
	return running, finished, j.removeLone(ctx, submitted)
}

// removeLone removes checkpoint pointers of jobs that have no graph: the clean-up of an ended job stopped before them.
func (j *Journal) removeLone(ctx context.Context, submitted map[id.Job]bool) error {
	pointers, err := j.store.Jobs(ctx, ha.Checkpoint)
	if err != nil {
		return fmt.Errorf("list the checkpoint pointers of jobs: %w", err)
	}
	for _, job := range pointers {
		if submitted[job] {
			continue
		}
		if err := j.clean(ctx, job); err != nil {
			return err
		}
	}
	return nil
}
