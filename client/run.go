package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/planproc"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// Run is one `weft run`.
type Run struct {
	// Job is a binary or a package directory, Class a program of it (-c), Args the job's own arguments.
	Job, Class string
	Args       []string
	Detached   bool
	Which      Which
	// Own runs the job in a cluster of its own, which ends with it, and Ship are files for that cluster's processes.
	Own  bool
	Ship []string
}

// jobRun is the state of one run: a plan process and the jobs it has submitted.
type jobRun struct {
	client  *Client
	session *Session
	staging *staging
	run     Run
	bins    *jobBinaries
	plan    *planProcess
	binary  *controlpb.BlobRef
	// foreign: the session is somebody else's, as whom the job runs.
	foreign bool
	// ownFiles: the cluster has no shared file system but what paths name.
	ownFiles bool
	// results are those of the Execute calls so far (W1).
	results []*planpb.JobResult
	// failed is the failure of a job that main was told of.
	failed error
	// started is the cluster of the current job, if it has its own.
	started *deployment
	// current is the job that runs; cancelled when the user leaves and wants that.
	current id.Job
}

// RunJob plans a job, submits it to a session, or to a cluster that is started for it, and, attached, follows it to its end.
func (c *Client) RunJob(ctx context.Context, run Run) error {
	r := &jobRun{client: c, run: run}
	if run.Own {
		if err := c.logIn(ctx); err != nil {
			return err
		}
	}
	var err error
	if r.bins, err = c.prepareJob(ctx, run.Job, run.Class, true); err != nil {
		return err
	}
	defer r.bins.close()
	if !run.Own {
		if r.session, err = c.FindSession(ctx, run.Which); err != nil {
			return err
		}
		r.foreign = r.session.noteOwner(ctx)
	}
	// The job's main runs while the binary is brought to where the TaskManagers read it.
	uploaded := make(chan error, 1)
	go func() { uploaded <- r.upload(ctx) }()
	if r.plan, err = c.startPlan(r.bins.plan, run.Args); err != nil {
		<-uploaded
		return err
	}
	defer r.plan.End()
	err = r.serve(ctx, uploaded)
	if err != nil && ctx.Err() != nil {
		r.leave()
		return &Failure{ExitInterrupted, errors.New("interrupted")}
	}
	return err
}

// upload makes the binary known to the session.
func (r *jobRun) upload(ctx context.Context) error {
	if r.run.Own {
		// It goes with what the cluster needs; its hash is made meanwhile.
		_, _, err := r.client.hash(r.bins.cluster)
		return err
	}
	// What lies in our directories in HDFS, the owner of another's session cannot read: the JobManager takes it as the owner. One that was
	// named by its address may be one without YARN, or another's.
	if r.session.App.IsZero() || r.foreign {
		if done, err := r.uploadToJobManager(ctx); err != nil || done {
			return err
		}
	}
	st, err := r.client.openStaging()
	if err != nil {
		return err
	}
	r.staging = st
	// A session that was named by its address alone shares the directory of its user's own.
	owner := "adhoc"
	if !r.session.App.IsZero() {
		owner = r.session.App.String()
	}
	b, err := st.blob(ctx, owner, r.bins.cluster)
	if err != nil {
		return fmt.Errorf("upload the job: %w", err)
	}
	r.binary = &controlpb.BlobRef{Sha256: b.sha256, Size: b.Size, Uri: b.URL, Name: r.bins.name}
	if n := st.Sent(); n > 64<<10 {
		r.client.Console.Say("Uploaded %s to %s", formatSize(n), st.URI())
	}
	return nil
}

// serve answers each Execute of main until main ends.
func (r *jobRun) serve(ctx context.Context, uploaded <-chan error) error {
	limit := config.Get(r.client.Config, config.PlanTimeout)
	calls := 0
	for {
		graph, err := r.plan.next(ctx, limit)
		if err != nil {
			return r.beforeUpload(err, uploaded)
		}
		if graph == nil {
			break
		}
		if calls == 0 {
			if err := <-uploaded; err != nil {
				return err
			}
			uploaded = nil
		}
		calls++
		result, err := r.execute(ctx, graph)
		if err != nil {
			// Main is ended without being told: it would say the same once more.
			return err
		}
		if result != nil {
			r.results = append(r.results, result)
			if err := r.plan.Say(&planpb.ToPlan{Kind: &planpb.ToPlan_Result{Result: result}}); err != nil {
				return err
			}
		}
		// The limit is for planning; what main does between two calls of Execute is its own affair.
		limit = 0
	}
	waitErr := r.plan.Wait(ctx)
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if calls == 0 {
		return r.beforeUpload(r.plan.withoutExecute(), uploaded)
	}
	if r.failed != nil {
		return r.failed
	}
	if waitErr != nil {
		return &Failure{ExitFailed, fmt.Errorf("the job's main ended with an error after its jobs: %w", waitErr)}
	}
	return nil
}

// beforeUpload gives err and does not leave the upload running behind the command's back.
func (r *jobRun) beforeUpload(err error, uploaded <-chan error) error {
	if uploaded != nil {
		<-uploaded
	}
	return err
}

// execute submits one graph and, attached, follows the job. A nil result is for detached runs.
func (r *jobRun) execute(ctx context.Context, g *planpb.JobGraph) (*planpb.JobResult, error) {
	if err := checkProtocol(g); err != nil {
		return nil, err
	}
	if err := r.checkFiles(ctx, g); err != nil {
		return nil, err
	}
	if err := r.startCluster(ctx); err != nil {
		return nil, err
	}
	request := &restpb.SubmitRequest{
		JobId: id.NewJob().String(), Graph: g, Binary: r.binary, Args: r.run.Args, Environment: r.client.jobEnvironment(),
		Config: r.client.jobConfig(), PreviousResults: r.results, Detached: r.run.Detached,
	}
	job, err := try(ctx, r.session, func(c *rest.Client) (id.Job, error) { return c.Submit(ctx, request) })
	if err != nil {
		return nil, r.withdraw(fmt.Errorf("submit job '%s': %w", g.Name, err))
	}
	r.current = job
	r.client.announceJob(job)
	r.announce()
	submitted := &planpb.Submitted{JobId: job.String(), Detached: r.run.Detached}
	if err := r.plan.Say(&planpb.ToPlan{Kind: &planpb.ToPlan_Submitted{Submitted: submitted}}); err != nil {
		return nil, err
	}
	if r.run.Detached {
		r.results = append(r.results, &planpb.JobResult{JobId: job.String(), Status: planpb.JobStatus_RUNNING})
		return nil, nil
	}
	result, err := r.session.follow(ctx, job, g.Name)
	if err != nil {
		return nil, err
	}
	r.current = id.Job{}
	r.forget()
	if err := r.client.report(result, g.Name); err != nil {
		r.failed = err
	}
	return result, nil
}

// announceJob prints the line that scripts take the job's id from.
func (c *Client) announceJob(job id.Job) {
	c.Console.Print("Job has been submitted with JobID %s", job)
}

// startCluster starts a cluster for the next job, if jobs have their own.
func (r *jobRun) startCluster(ctx context.Context) error {
	if !r.run.Own {
		return nil
	}
	d, err := r.client.newDeployment(perJobCluster)
	if err != nil {
		return err
	}
	d.job = &deployedJob{local: r.bins.cluster}
	if r.session, err = d.start(ctx, r.run.Ship); err != nil {
		return err
	}
	r.started = d
	r.binary = &controlpb.BlobRef{Sha256: d.job.sha256, Size: d.job.remote.Size, Uri: d.job.remote.URL, Name: r.bins.name}
	r.session.Announce()
	return nil
}

// withdraw ends a cluster whose job was not taken and gives the error to show.
func (r *jobRun) withdraw(err error) error {
	if r.started == nil {
		return err
	}
	return r.started.undo(err)
}

// announce says how a cluster of its own is ended: it has its job, and goes on without this process.
func (r *jobRun) announce() {
	if r.started == nil {
		return
	}
	r.started.announced()
	if r.run.Detached {
		r.client.Console.Say("The cluster %s ends with its job. To cancel the job: weft cancel -yid %s %s", r.session.App, r.session.App, r.current)
	}
}

// forget forgets a cluster that ends with the job that has ended.
func (r *jobRun) forget() {
	if r.started == nil {
		return
	}
	if err := r.client.forget(r.session.App); err != nil {
		r.client.Log.Debug("forget a cluster", "application", r.session.App.String(), "error", err)
	}
	r.started = nil
}

// checkFiles fails for inputs that are missing and outputs that are there, where that can be seen from here: in the
// cluster's file system. Local paths are those of the cluster's machines.
func (r *jobRun) checkFiles(ctx context.Context, g *planpb.JobGraph) error {
	stores, err := r.stores()
	if err != nil {
		return err
	}
	err = planproc.CheckFiles(ctx, stores, g)
	if r.foreign && errors.Is(err, fs.ErrPermission) {
		return nil // what we may not look at the session's owner may
	}
	return explainStore(ofJob(err))
}

// jobEnvironment is what workers get of the client's environment.
func (c *Client) jobEnvironment() map[string]string {
	return planproc.Environment(c.Getenv, c.Config.WithPrefix("containerized.taskmanager.env."))
}

// follow shows what happens to a job until it has ended.
func (s *Session) follow(ctx context.Context, job id.Job, name string) (*planpb.JobResult, error) {
	console := s.client.Console
	view := &jobView{console: console, name: name, started: time.Now()}
	refresh := time.Duration(0)
	if console.Terminal() {
		refresh = 500 * time.Millisecond
	}
	defer console.Status("")
	for {
		result, err := s.rest.Follow(ctx, job, refresh, view.show)
		if err == nil {
			return result, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		err = s.lost(ctx, job, err)
		if errors.Is(err, errFinished) {
			return &planpb.JobResult{JobId: job.String(), Status: planpb.JobStatus_FINISHED, RuntimeMs: time.Since(view.started).Milliseconds()}, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// leave is what happens to the job when the user has pressed Ctrl-C.
func (r *jobRun) leave() {
	if r.current.IsZero() {
		return
	}
	c := r.client
	if !config.Get(c.Config, config.ShutdownOnAttachedExit) {
		which := ""
		if r.session.single {
			which = "-yid " + r.session.App.String() + " "
		}
		c.Console.Say("The job %s goes on. To end it: weft cancel %s%s", r.current, which, r.current)
		return
	}
	ctx, cancel := cleanupContext()
	defer cancel()
	if err := r.session.rest.Cancel(ctx, r.current); err != nil {
		c.Console.Say("The job %s could not be cancelled: %v", r.current, err)
		return
	}
	if r.session.single {
		// The cluster ends at once when somebody has heard of the job's end.
		_, _ = r.session.rest.Follow(ctx, r.current, 0, nil)
	}
	c.Console.Say("Cancelled job %s.", r.current)
}

// report prints how a job has ended, in Flink's words; one that has not finished is an error.
func (c *Client) report(result *planpb.JobResult, name string) error {
	out := c.Console
	if result.GetStatus() != planpb.JobStatus_FINISHED {
		return &Failure{ExitFailed, &JobFailed{Name: name, Result: result}}
	}
	out.Print("Program execution finished")
	out.Print("Job with JobID %s has finished.", result.JobId)
	out.Print("Job Runtime: %d ms", result.RuntimeMs)
	if len(result.Accumulators) > 0 {
		out.Print("Accumulator Results: ")
		list := slices.Clone(result.Accumulators)
		slices.SortFunc(list, func(a, b *planpb.Accumulator) int { return strings.Compare(a.Name, b.Name) })
		for _, a := range list {
			out.Print("- %s (%s): %s", a.Name, a.Type, a.Value)
		}
	}
	return nil
}

// JobFailed is a job that did not finish.
type JobFailed struct {
	Name   string
	Result *planpb.JobResult
}

// Error says what failed, where, and shows the author's stack.
func (e *JobFailed) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Job '%s' (JobID %s) ended as %s after %d ms.", e.Name, e.Result.GetJobId(), e.Result.GetStatus(), e.Result.GetRuntimeMs())
	f := e.Result.GetFailure()
	if f == nil {
		return b.String()
	}
	fmt.Fprintf(&b, "\nCaused by: %s", f.Message)
	switch {
	case f.TaskName != "":
		fmt.Fprintf(&b, "\n  in %s", f.TaskName)
	case f.Operator != "":
		fmt.Fprintf(&b, "\n  in %s", f.Operator)
	}
	if f.TaskName != "" && f.Operator != "" && f.Operator != f.TaskName {
		fmt.Fprintf(&b, ", operator %s", f.Operator)
	}
	if f.TaskName != "" || f.Operator != "" {
		fmt.Fprintf(&b, ", subtask %d, attempt %d", f.Subtask+1, f.Attempt+1)
	}
	if f.RecordTimeMs != nil {
		fmt.Fprintf(&b, ", record of %s", time.UnixMilli(*f.RecordTimeMs).UTC().Format(time.RFC3339Nano))
	}
	if f.Host != "" || f.TaskmanagerId != "" {
		fmt.Fprintf(&b, "\n  on %s (%s)", f.Host, f.TaskmanagerId)
	}
	if f.Stack != "" {
		b.WriteString("\n" + indent(strings.ReplaceAll(strings.TrimRight(f.Stack, "\n"), "\t", "  ")))
	}
	return b.String()
}
