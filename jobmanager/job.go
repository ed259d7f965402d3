package jobmanager

import (
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest/jobview"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
	"github.com/weft-project/weft/security"
)

const (
	// history is how many ended jobs are remembered.
	history = 100
	// maxEvents and maxFailures bound what is remembered of one job.
	maxEvents   = 1000
	maxFailures = 32
	// maxSubmission bounds a submission, in bytes: the messages that start its workers hold more than it, and must fit too.
	maxSubmission = maxMessage - 1<<20
	// cleanLimit bounds the removal of a job's unfinished output.
	cleanLimit = 20 * time.Second
)

// job is a JobMaster: one job from submission to its end.
type job struct {
	m        *JobManager
	id       id.Job
	x        *execution.Job
	request  *restpb.SubmitRequest
	secret   security.Secret
	strategy *execution.Restarts
	// cp are the job's checkpoints; nil where there can be none.
	cp       *checkpoints
	start    int64
	end      int64
	restarts int
	// firstAttempt is the number of the first execution attempt; the others count from there.
	firstAttempt int
	// waitingSince is set while the job waits for slots.
	waitingSince time.Time
	// shortage is what was last told about why it waits, and when.
	shortage     string
	shortageTold time.Time
	// slots of the current attempt by slot of the job; workers by TaskManager.
	slots   []slot
	workers map[string]*workerRef
	// fences are TaskManagers on which a worker of an earlier attempt may still run, and since when (F3).
	fences map[string]time.Time
	// failures, newest first; cause is the one that decided what becomes of the job.
	failures []*planpb.Failure
	cause    *planpb.Failure
	// next is the status that follows when all workers are gone: RESTARTING's RUNNING, FAILED or CANCELED.
	next   planpb.JobStatus
	pause  time.Duration
	result *planpb.JobResult
	// cleaning: the end is decided and scratch paths are being removed.
	cleaning bool
	// noted waits until the place of the job's unfinished output is written down.
	noted func()

	events    []*restpb.JobEvent
	sequence  uint64
	truncated bool
	changed   chan struct{} // closed and replaced at each event
	// told tells that somebody outside was told the job's end.
	told bool
}

// workerRef is one worker process of a job.
type workerRef struct {
	tm      *taskManager
	ready   bool
	stopped bool // StopWorker was sent
	address string
}

// submit makes a job of a request. A known id succeeds.
func (m *JobManager) submit(r *restpb.SubmitRequest) (*job, error) {
	jid := id.NewJob()
	if text := r.GetJobId(); text != "" {
		var err error
		if jid, err = id.ParseJob(text); err != nil {
			return nil, err
		}
	}
	if j := m.jobs[jid]; j != nil {
		return j, nil
	}
	j, err := m.make(jid, r)
	if err != nil {
		return nil, err
	}
	if m.o.Target == config.TargetApplication {
		j.firstAttempt = m.o.FirstAttempt // its jobs have the same ids under each JobManager
	}
	m.enter(j)
	return j, nil
}

// make makes a job of a request without beginning it.
func (m *JobManager) make(jid id.Job, r *restpb.SubmitRequest) (*job, error) {
	if len(r.GetGraph().GetVertices()) == 0 {
		return nil, fmt.Errorf("the submission has no job graph with vertices")
	}
	if g := r.GetGraph(); g.GetProtocolMajor() != version.Major {
		return nil, fmt.Errorf("the job was built with SDK %s, which speaks plan protocol %d.%d; this cluster speaks %d.%d: build it with the cluster's SDK",
			g.GetSdkVersion(), g.GetProtocolMajor(), g.GetProtocolMinor(), version.Major, version.Minor)
	}
	if n := proto.Size(r); n > maxSubmission {
		return nil, fmt.Errorf("the submission has %d bytes: expected at most %d; values of stream.Captured are part of it", n, maxSubmission)
	}
	if r.GetBinary().GetSha256() == "" || r.GetBinary().GetUri() == "" {
		return nil, fmt.Errorf("the submission names no job binary")
	}
	now := nowMs()
	x, err := execution.NewJob(jid, r.GetGraph(), now)
	if err != nil {
		return nil, err
	}
	j := &job{m: m, fences: map[string]time.Time{}, id: jid, x: x, request: r, secret: m.o.Secret.Derive(security.LabelJob, jid.String()), start: now,
		workers: map[string]*workerRef{}, changed: make(chan struct{}), noted: func() {}}
	effective := m.o.Config.Clone()
	for k, v := range r.GetConfig() {
		effective.Set(config.CommandLine, k, v, "submission")
	}
	for k, v := range r.GetGraph().GetConfig() {
		effective.Set(config.Program, k, v, "program")
	}
	if err := effective.Check(); err != nil {
		return nil, err
	}
	strategy, err := strategyOf(effective)
	if err != nil {
		return nil, err
	}
	if j.cp, err = m.checkpointsOf(j, effective); err != nil {
		return nil, err
	}
	if j.cp != nil && j.cp.settings.Interval > 0 && config.Get(effective, config.RestartStrategy) == "" {
		strategy = execution.CheckpointedStrategy()
	}
	j.strategy = execution.NewRestarts(strategy, rand.Float64)
	if err := j.useBlobs(); err != nil {
		return nil, err
	}
	return j, nil
}

// enter begins a job.
func (m *JobManager) enter(j *job) {
	m.jobs[j.id] = j
	m.order = append(m.order, j)
	if m.first == nil {
		m.first = j
		close(m.hasFirst)
	}
	m.forget()
	m.o.Log.Info("job submitted", "job", j.id, "name", j.x.Graph.GetName(), "slots", j.x.Slots())
	j.move(planpb.JobStatus_CREATED, nil)
	m.noteScratch(j)
	if j.cp != nil && j.cp.needed() {
		j.cp.open(func() { m.await(j) })
		return
	}
	m.await(j)
}

// await makes a job wait for slots, and perhaps get them at once.
func (m *JobManager) await(j *job) {
	j.waitingSince = time.Now()
	m.schedule()
	switch {
	case j.waitingSince.IsZero():
	case len(j.fences) > 0:
		j.note("waiting until it is certain that the workers of the attempt before have ended")
	default:
		j.note("waiting for " + slotsText(j.x.Slots()))
	}
}

// slotsText is a number of slots for people.
func slotsText(n int) string {
	if n == 1 {
		return "1 slot"
	}
	return fmt.Sprintf("%d slots", n)
}

// forget drops the oldest ended jobs. One whose workers still run stays: their end gives its slots back.
func (m *JobManager) forget() {
	old := func(j *job) bool { return execution.Ended(j.x.Status) && len(j.workers) == 0 }
	ended := 0
	for _, j := range m.order {
		if old(j) {
			ended++
		}
	}
	kept := m.order[:0]
	for _, j := range m.order {
		if ended > history && old(j) {
			ended--
			delete(m.jobs, j.id)
			continue
		}
		kept = append(kept, j)
	}
	clear(m.order[len(kept):])
	m.order = kept
}

// move changes the job's status and tells who watches.
func (j *job) move(to planpb.JobStatus, f *planpb.Failure) bool {
	from := j.x.Status
	if err := j.x.Move(to, nowMs()); err != nil {
		j.m.o.Log.Error("job status", "job", j.id, "error", err)
		return false
	}
	j.m.o.Log.Info("job status", "job", j.id, "from", from.String(), "to", to.String())
	j.event(&restpb.JobEvent{Kind: &restpb.JobEvent_Status{Status: &restpb.JobStatusChange{Status: to, Failure: f}}})
	return true
}

func (j *job) note(text string) {
	j.event(&restpb.JobEvent{Kind: &restpb.JobEvent_Note{Note: text}})
}

func (j *job) event(e *restpb.JobEvent) {
	j.sequence++
	e.Sequence, e.TimeMs = j.sequence, nowMs()
	j.events = append(j.events, e)
	if len(j.events) > maxEvents {
		j.events = append([]*restpb.JobEvent(nil), j.events[len(j.events)-maxEvents/2:]...)
		j.truncated = true
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

// finish begins the job's end: unfinished output is removed, then the end is announced.
func (m *JobManager) finish(j *job, status planpb.JobStatus) {
	if j.cleaning {
		return
	}
	j.cleaning = true
	j.waitingSince = time.Time{}
	j.cp.end(status, func() { m.clean(j, status) })
}

// clean removes what the job has left unfinished.
func (m *JobManager) clean(j *job, status planpb.JobStatus) {
	paths := j.x.Graph.GetScratchPaths()
	if m.o.Files == nil {
		paths = nil
	}
	if len(paths) == 0 && m.o.Submissions == nil {
		m.ended(j, status)
		return
	}
	go func() {
		m.removeSubmission(j.id.String())
		j.noted()
		m.removeScratch(j.id, paths)
		m.l.post(func() { m.ended(j, status) })
	}()
}

// ended announces the job's end.
func (m *JobManager) ended(j *job, status planpb.JobStatus) {
	j.end = nowMs()
	r := &planpb.JobResult{JobId: j.id.String(), Status: status, RuntimeMs: j.end - j.start}
	if status == planpb.JobStatus_FAILED {
		r.Failure = j.cause
	}
	var all []*planpb.Accumulator
	j.x.Each(func(a *execution.Attempt) {
		if status != planpb.JobStatus_FINISHED || a.State == controlpb.ExecutionState_STATE_FINISHED {
			all = append(all, a.Accumulators...)
		}
	})
	r.Accumulators = jobview.Merge(all)
	j.result = r
	j.move(status, r.Failure)
	j.releaseBlobs()
	// The binary's reference, the arguments and what the graph carries for workers are not needed any more; the documents are.
	g := j.x.Graph
	j.x.Graph = &planpb.JobGraph{Name: g.GetName(), Mode: g.GetMode(), Vertices: g.GetVertices(), Edges: g.GetEdges(), Config: g.GetConfig(),
		ProtocolMajor: g.GetProtocolMajor(), ProtocolMinor: g.GetProtocolMinor(), SdkVersion: g.GetSdkVersion(), Bounded: g.GetBounded()}
	j.request = &restpb.SubmitRequest{JobId: j.request.GetJobId(), Config: j.request.GetConfig()}
	m.stopWorkers(j, "the job has ended")
	m.schedule()
}

// cancelJob is a user's wish.
func (m *JobManager) cancelJob(j *job) error {
	switch s := j.x.Status; {
	case s == planpb.JobStatus_CANCELED || s == planpb.JobStatus_CANCELLING:
		return nil
	case execution.Ended(s):
		return fmt.Errorf("job %s has ended: %s", j.id, s)
	case j.cleaning:
		return fmt.Errorf("job %s is ending: its unfinished output is being removed", j.id)
	}
	j.waitingSince = time.Time{}
	if j.move(planpb.JobStatus_CANCELLING, nil) {
		j.next = planpb.JobStatus_CANCELED
		j.cp.halt("the job is canceled")
		m.stopWorkers(j, "the job is canceled")
		m.workersGone(j)
	}
	return nil
}
