package standalone

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/jobbinary"
	"github.com/weft-project/weft/internal/planproc"
	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// Job is what a cluster runs that is there for one main.
type Job struct {
	// Binary is a local path or a URI, Args its own arguments.
	Binary string
	Args   []string
	// ID of the first job, when it was given.
	ID id.Job
	// Stdout and Stderr get what main writes.
	Stdout, Stderr io.Writer
}

// jobLinger is how long the JobManager answers, when main has ended, whoever asks how.
const jobLinger = time.Second

// uploadedURI is where TaskManagers find files that their JobManager keeps.
const uploadedURI = "jobmanager:"

// mainRun is the job's main, running as a child of the JobManager's process.
type mainRun struct {
	o       *Options
	jm      *jobmanager.JobManager
	blobs   *jobmanager.Blobs
	path    string
	binary  *controlpb.BlobRef
	files   *fs.Registry
	env     map[string]string
	process *planproc.Process
	tail    planproc.Tail
	// results are those of the Execute calls so far (W1).
	results []*planpb.JobResult
}

// newMain looks at the job's binary; dir is this process's own.
func (o *Options) newMain(ctx context.Context, dir string, blobs *jobmanager.Blobs, files *fs.Registry) (*mainRun, error) {
	r := &mainRun{o: o, blobs: blobs, files: files, path: o.Job.Binary,
		env: planproc.Environment(o.Getenv, o.Config.WithPrefix("containerized.taskmanager.env."))}
	if strings.Contains(r.path, "://") {
		var err error
		if r.path, err = fetchJob(ctx, files, o.Job.Binary, filepath.Join(dir, "job")); err != nil {
			return nil, err
		}
	}
	if st, err := os.Stat(r.path); err != nil {
		return nil, fmt.Errorf("job: %w", err)
	} else if st.IsDir() {
		return nil, fmt.Errorf("job %s is a directory: build it (go build) and give the binary", r.path)
	}
	if _, err := jobbinary.CheckOwn(r.path, o.Job.Binary); err != nil {
		return nil, err
	}
	f, err := os.Open(r.path)
	if err != nil {
		return nil, fmt.Errorf("job: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return nil, fmt.Errorf("job: %w", err)
	}
	r.binary = &controlpb.BlobRef{Sha256: hex.EncodeToString(sum.Sum(nil)), Size: size, Uri: uploadedURI, Name: path.Base(filepath.ToSlash(o.Job.Binary))}
	return r, nil
}

// fetchJob brings a binary from another file system.
func fetchJob(ctx context.Context, files *fs.Registry, uri, to string) (string, error) {
	store, p, err := files.Get(uri)
	if err != nil {
		return "", fmt.Errorf("job %s: %w", uri, err)
	}
	in, err := store.Open(ctx, p)
	if err != nil {
		return "", fmt.Errorf("job %s: %w", uri, err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o700)
	if err != nil {
		return "", fmt.Errorf("job %s: %w", uri, err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return "", fmt.Errorf("job %s: %w", uri, err)
	}
	return to, nil
}

// lead runs the JobManager with main beside it, which decides when both end. It gives an error when main or a job of it has failed.
func (r *mainRun) lead(ctx context.Context, jm *jobmanager.JobManager, stopped func() bool) error {
	r.jm = jm
	mainCtx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := r.run(mainCtx)
		r.o.Log.Info("main has ended", "jobs", len(r.results), "error", err)
		linger, cancel := context.WithTimeout(mainCtx, jobLinger)
		jm.Fetched(linger)
		cancel()
		done <- err
		_ = jm.Shutdown(mainCtx) // it may be ending already
	}()
	err := jm.Run(ctx)
	stop()
	<-ended
	if mainErr := <-done; !stopped() && !errors.Is(mainErr, jobmanager.ErrStopped) && !errors.Is(mainErr, context.Canceled) {
		err = errors.Join(err, mainErr)
	}
	return err
}

// run runs main to its end and serves its Execute calls one after the other.
func (r *mainRun) run(ctx context.Context) (err error) {
	r.process, err = planproc.Start(planproc.Options{Path: r.path, Args: r.o.Job.Args, Env: r.environment(), Config: rest.WithoutSecrets(r.o.Config.Map()), Owned: true,
		Stdout: io.MultiWriter(r.o.Job.Stdout, &r.tail), Stderr: io.MultiWriter(r.o.Job.Stderr, &r.tail), Said: r.tail.Said})
	if err != nil {
		return fmt.Errorf("main could not be started: %w", err)
	}
	defer r.process.End()
	r.o.Log.Info("main runs", "job", r.binary.Name, "pid", r.process.PID())
	err = r.process.Serve(ctx, config.Get(r.o.Config, config.PlanTimeout), r.execute)
	if err != nil && !errors.As(err, new(*planproc.LateError)) {
		return err
	}
	// Of a job that did not finish main's error speaks too.
	for _, result := range r.results {
		switch result.GetStatus() {
		case planpb.JobStatus_FAILED:
			return fmt.Errorf("job %s failed: %s", result.GetJobId(), result.GetFailure().GetMessage())
		case planpb.JobStatus_FINISHED:
		default:
			r.o.Log.Info("a job did not finish", "job", result.GetJobId(), "status", result.GetStatus().String())
			return nil
		}
	}
	return err
}

// execute runs one job to its end.
func (r *mainRun) execute(ctx context.Context, g *planpb.JobGraph) (*planpb.JobResult, error) {
	if err := planproc.CheckFiles(ctx, r.files, g); err != nil {
		return nil, err
	}
	if err := r.keepBinary(); err != nil {
		return nil, err
	}
	jid := id.NewJob()
	if len(r.results) == 0 && !r.o.Job.ID.IsZero() {
		jid = r.o.Job.ID
	}
	result, err := r.jm.RunFor(ctx, r.process, &restpb.SubmitRequest{JobId: jid.String(), Graph: g, Binary: r.binary, Args: r.o.Job.Args,
		Environment: r.env, PreviousResults: r.results})
	if err == nil {
		r.results = append(r.results, result)
	}
	return result, err
}

// keepBinary puts the binary where TaskManagers fetch it. Files that no job needs are not kept for ever, and main may take its time.
func (r *mainRun) keepBinary() error {
	if here, err := r.blobs.Has(r.binary.Sha256); err != nil || here {
		return err
	}
	f, err := os.Open(r.path)
	if err != nil {
		return fmt.Errorf("job: %w", err)
	}
	defer f.Close()
	return r.blobs.Put(r.binary.Sha256, r.binary.Size, f)
}

// memory splits the JobManager's between it and a main beside it; a tenth is left for what Go does not count.
func (o *Options) memory() (own, beside int64) {
	all := config.Get(o.Config, config.JobManagerMemory).Bytes()
	if o.Job == nil {
		return all, 0
	}
	return all / 2, all*9/10 - all/2
}

// environment is this process's, with main's share of the memory.
func (r *mainRun) environment() []string {
	var out []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if name != "GOMEMLIMIT" && name != "GOMAXPROCS" && name != EnvReady {
			out = append(out, e)
		}
	}
	_, beside := r.o.memory()
	return append(out, "GOMEMLIMIT="+strconv.FormatInt(beside, 10), "GOMAXPROCS="+strconv.Itoa(runtime.GOMAXPROCS(0)))
}
