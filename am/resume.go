package am

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/planproc"
	"github.com/weft-project/weft/rpc/planpb"
)

// When YARN may start the ApplicationMaster again, a main that runs in it runs again. Its n-th job has the same id each time, so
// that an output which workers of the lost attempt published is known as the job's own; one that has ended is not run again: main
// gets its result.

// jobOf is the id of main's job of that number.
func (r *mainRun) jobOf(number int) id.Job {
	sum := sha256.Sum256(fmt.Appendf(nil, "weft job\x00%s\x00%d", r.a.manifest.Application, number))
	var j id.Job
	copy(j[:], sum[:])
	return j
}

// again tells whether this is not the application's first attempt.
func (r *mainRun) again() bool { return r.a.master != nil && r.a.master.Attempt().Number > 1 }

// afterEarlier waits until nothing of the attempt before runs (F3).
func (r *mainRun) afterEarlier(ctx context.Context) error {
	if !r.again() {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, config.Get(r.a.config, config.LeaderlessTimeout))
	defer cancel()
	r.a.earlier.gone(wait)
	return ctx.Err()
}

// checkFiles refuses outputs that exist, but those of a job that an attempt before has begun: its sinks look closer.
func (r *mainRun) checkFiles(ctx context.Context, job id.Job, g *planpb.JobGraph) error {
	if r.again() {
		for _, p := range g.GetScratchPaths() {
			store, scratch, err := r.a.files.Get(fs.ExpandJob(p, job.String()))
			if err != nil {
				return err
			}
			if _, err := store.Stat(ctx, scratch); err == nil {
				return nil
			}
		}
	}
	return planproc.CheckFiles(ctx, r.a.files, g)
}

func resultName(number int) string { return fmt.Sprintf("result-%d", number) }

// known gives the result of a job that has ended under an attempt before; nil when there is none.
func (r *mainRun) known(ctx context.Context, number int) (*planpb.JobResult, error) {
	if !r.again() {
		return nil, nil
	}
	_, dir, err := r.a.private()
	if err != nil {
		return nil, err
	}
	b, err := dir.ReadPrivate(ctx, r.a.manifest.Application, resultName(number), maxSubmission)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	result := &planpb.JobResult{}
	if err == nil {
		err = proto.Unmarshal(b, result)
	}
	if err != nil {
		return nil, fmt.Errorf("result of job %d of the attempt before: %w", number+1, err)
	}
	return result, nil
}

// keep keeps the result of a job for an attempt after this one, where there may be one.
func (r *mainRun) keep(ctx context.Context, number int, result *planpb.JobResult) error {
	if config.Get(r.a.config, config.ApplicationAttempts) < 2 {
		return nil
	}
	b, err := proto.Marshal(result)
	if err != nil {
		return err
	}
	return r.a.putWhole(ctx, resultName(number), b)
}

// private is the application's own directory.
func (a *application) private() (fs.FileSystem, *hdfsstate.Dir, error) {
	store, base, err := a.files.Get(a.manifest.Base)
	if err != nil {
		return nil, nil, err
	}
	return store, hdfsstate.Open(store, base, 0), nil
}

// putWhole writes a file into the application's directory. A half-written one is never taken for a whole one.
func (a *application) putWhole(ctx context.Context, name string, b []byte) error {
	store, dir, err := a.private()
	if err != nil {
		return err
	}
	info, err := dir.PutPrivate(ctx, a.manifest.Application, "."+name, b)
	if err != nil {
		return err
	}
	return store.Rename(ctx, info.Path, path.Join(path.Dir(info.Path), name), true)
}
