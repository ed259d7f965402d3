package am

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/planproc"
	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/yarnrpc"
)

// mainRun is the job's main, running as a child of the JobManager's process.
type mainRun struct {
	a       *application
	jm      *jobmanager.JobManager
	job     *spec.JobSpec
	process *planproc.Process
	binary  *controlpb.BlobRef
	tail    *planproc.Tail
	// results are those of the Execute calls so far (W1).
	results []*planpb.JobResult
}

// oneMain runs main to its end and serves its Execute calls one after the other.
func (a *application) oneMain(ctx context.Context, jm *jobmanager.JobManager) outcome {
	r := &mainRun{a: a, jm: jm, tail: &planproc.Tail{}}
	o := r.run(ctx)
	a.Log.Info("main has ended", "status", string(o.status), "diagnostics", o.diagnostics)
	a.linger(ctx, jm)
	return o
}

func (r *mainRun) run(ctx context.Context) outcome {
	if err := r.afterEarlier(ctx); err != nil {
		return r.a.cut(context.Cause(ctx))
	}
	if err := r.prepare(); err != nil {
		return outcome{yarnrpc.FinalFailed, "main could not be started: " + err.Error()}
	}
	stdout, stderr, err := r.output()
	if err != nil {
		return outcome{yarnrpc.FinalFailed, "main could not be started: " + err.Error()}
	}
	defer stdout.Close()
	defer stderr.Close()
	r.process, err = planproc.Start(planproc.Options{
		Path: "./" + spec.JobBinary, Args: r.job.Args, Env: r.environment(), Config: r.config(), Owned: true,
		Stdout: io.MultiWriter(stdout, r.tail), Stderr: io.MultiWriter(stderr, r.tail), Said: r.tail.Said,
	})
	if err != nil {
		return outcome{yarnrpc.FinalFailed, "main could not be started: " + err.Error()}
	}
	defer r.process.End()
	r.a.Log.Info("main runs", "job", r.job.Name, "pid", r.process.PID())
	err = r.serve(ctx)
	switch {
	case errors.Is(err, jobmanager.ErrStopped):
		return r.a.cut(err)
	case ctx.Err() != nil:
		return r.a.cut(context.Cause(ctx))
	case err != nil && jobsOutcome(r.results).status == yarnrpc.FinalSucceeded:
		// With a job that did not finish, that is what main's error is about.
		return outcome{yarnrpc.FinalFailed, err.Error()}
	}
	return jobsOutcome(r.results)
}

// prepare reads what YARN has brought.
func (r *mainRun) prepare() error {
	b, err := os.ReadFile(path.Join(r.a.Dir, spec.Job))
	if err != nil {
		return err
	}
	if r.job, err = spec.DecodeJob(b); err != nil {
		return err
	}
	if r.job.SHA256 == "" {
		if r.job.SHA256, err = hashFile(path.Join(r.a.Dir, spec.JobBinary)); err != nil {
			return err
		}
	}
	r.binary = &controlpb.BlobRef{Sha256: r.job.SHA256, Size: r.job.Size, Uri: r.job.URI, Name: r.job.Name}
	return nil
}

func hashFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// output opens the files that main's output goes to.
func (r *mainRun) output() (stdout, stderr *os.File, err error) {
	if stdout, err = os.Create(path.Join(r.a.LogDir, "main.out")); err != nil {
		return nil, nil, err
	}
	if stderr, err = os.Create(path.Join(r.a.LogDir, "main.err")); err != nil {
		return nil, nil, errors.Join(err, stdout.Close())
	}
	return stdout, stderr, nil
}

// ownVariables of this process are not for main.
var ownVariables = []string{spec.EnvManifest, "GOMEMLIMIT", "GOMAXPROCS", "HADOOP_TOKEN_FILE_LOCATION"}

// environment is the container's, with what the client passes on, and main's share of the container.
func (r *mainRun) environment() []string {
	var out []string
variables:
	for _, e := range os.Environ() {
		for _, own := range ownVariables {
			if strings.HasPrefix(e, own+"=") {
				continue variables
			}
		}
		out = append(out, e)
	}
	for k, v := range r.job.Environment {
		out = append(out, k+"="+v)
	}
	return append(out, "GOMEMLIMIT="+strconv.Itoa(r.a.sizes.MainLimitMB())+"MiB", "GOMAXPROCS="+strconv.Itoa(r.a.sizes.JobManagerVCores))
}

// config is what main is told of the configuration.
func (r *mainRun) config() map[string]string { return rest.WithoutSecrets(r.a.config.Map()) }

// serve answers each Execute of main until main ends.
func (r *mainRun) serve(ctx context.Context) error {
	return r.process.Serve(ctx, config.Get(r.a.config, config.PlanTimeout), func(ctx context.Context, g *planpb.JobGraph) (*planpb.JobResult, error) {
		result, err := r.execute(ctx, g)
		if err == nil {
			r.results = append(r.results, result)
		}
		return result, err
	})
}

// execute runs one job to its end.
func (r *mainRun) execute(ctx context.Context, g *planpb.JobGraph) (*planpb.JobResult, error) {
	number := len(r.results)
	if result, err := r.known(ctx, number); result != nil || err != nil {
		return result, err
	}
	own := r.jobOf(number)
	if err := r.checkFiles(ctx, own, g); err != nil {
		return nil, err
	}
	result, err := r.jm.RunFor(ctx, r.process, &restpb.SubmitRequest{
		JobId: own.String(), Graph: g, Binary: r.binary, Args: r.job.Args, Environment: r.job.Environment,
		Config: r.job.Config, PreviousResults: r.results, Detached: !config.Get(r.a.config, config.Attached),
	})
	if err != nil {
		return nil, err
	}
	return result, r.keep(ctx, number, result)
}
