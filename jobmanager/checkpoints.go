package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/restore"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// openLimit bounds the look at a job's checkpoints before it starts, storeLimit one request to their store afterwards.
const openLimit, storeLimit = 2 * time.Minute, 10 * time.Minute

// checkpoints drives the decisions about one job's checkpoints: it tells package checkpoint what happens and does what that decides. The
// JobManager's loop owns it.
type checkpoints struct {
	m        *JobManager
	j        *job
	settings checkpoint.Settings
	graph    checkpoint.Graph
	vertices map[string]int // by id
	// dir is nil where no directory is configured.
	dir *hdfsstate.Checkpoints
	// core is nil before the store was read.
	core *checkpoint.Coordinator
	// live: the core knows of the current attempt's tasks.
	live  bool
	timer *time.Timer
	store serial
	// deploying waits for the outcome of a publication; ending too, with what follows it.
	deploying bool
	ending    func()
	ended     checkpoint.Ending
	// swept: what crashes have left was looked for.
	swept bool
	// restored is what the current attempt has begun with, and when.
	restored   *checkpoint.Completed
	restoredAt int64
	operations map[string]*operation
}

// checkpointsOf reads a job's settings; nil for jobs that take no checkpoints.
func (m *JobManager) checkpointsOf(j *job, c *config.Config) (*checkpoints, error) {
	s, err := checkpoint.SettingsOf(c)
	if err != nil {
		return nil, err
	}
	if j.x.Graph.GetMode() == planpb.RuntimeMode_BATCH {
		if s.RestorePath != "" {
			return nil, fmt.Errorf("%s: %s: a job in BATCH mode starts from no checkpoint or savepoint", config.RestorePath.Key, s.RestorePath)
		}
		return nil, nil
	}
	if s.Interval > 0 && s.Directory == "" {
		return nil, fmt.Errorf("%s: %s without %s: set the directory that checkpoints go to, such as hdfs:///checkpoints",
			config.CheckpointInterval.Key, s.Interval, config.CheckpointDirectory.Key)
	}
	if m.o.Files == nil {
		return nil, nil // a JobManager of tests, without any store
	}
	cp := &checkpoints{m: m, j: j, settings: s, graph: execution.CheckpointGraph(j.x.Graph), vertices: map[string]int{}, operations: map[string]*operation{}}
	for i, v := range cp.graph.Vertices {
		cp.vertices[v.ID] = i
	}
	return cp, nil
}

// needed tells that the store must be read before the job starts.
func (cp *checkpoints) needed() bool {
	return cp.settings.Interval > 0 || cp.settings.RestorePath != ""
}

// found is what was read of the store.
type found struct {
	dir       *hdfsstate.Checkpoints
	completed []*checkpoint.Completed
	damaged   []hdfsstate.Damage
	next      int64
}

// open reads what there is, fencing earlier leaders, and then calls next in the loop.
func (cp *checkpoints) open(next func()) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), openLimit)
		defer cancel()
		f, err := cp.look(ctx)
		cp.m.l.post(func() {
			if execution.Ended(cp.j.x.Status) || cp.j.cleaning {
				return
			}
			if err == nil {
				err = cp.begin(f)
			}
			if err != nil {
				cp.m.failForGood(cp.j, err)
				return
			}
			next()
		})
	}()
}

func (cp *checkpoints) look(ctx context.Context) (*found, error) {
	f := &found{next: 1}
	if cp.settings.Directory != "" {
		store, p, err := cp.m.o.Files.Get(cp.settings.Directory)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", config.CheckpointDirectory.Key, err)
		}
		f.dir = hdfsstate.NewCheckpoints(store, hdfsstate.JobDirectory(p, cp.j.id.String(), cp.settings.Subdirectory), cp.m.o.Epoch)
		e, err := f.dir.Fence(ctx)
		if err != nil {
			return nil, err
		}
		f.completed, f.damaged, f.next = e.Completed, e.Damaged, e.Next
	}
	if cp.settings.RestorePath != "" && len(f.completed) == 0 {
		s, err := hdfsstate.OpenSnapshot(ctx, cp.m.o.Files, cp.settings.RestorePath)
		if err != nil {
			return nil, fmt.Errorf("start from %s: %w", cp.settings.RestorePath, err)
		}
		point := s.Foreign()
		point.Claimed = cp.settings.Claim == checkpoint.ClaimIt
		f.completed = append(f.completed, point)
	}
	return f, nil
}

// begin makes the core.
func (cp *checkpoints) begin(f *found) error {
	cp.dir = f.dir
	for _, d := range f.damaged {
		cp.m.o.Log.Error("damaged checkpoint", "job", cp.j.id, "path", d.Path, "error", d.Err)
		cp.j.note(fmt.Sprintf("the checkpoint %s is damaged and not used: %v", d.Path, d.Err))
	}
	name := checkpoint.Job{ID: cp.j.id.String(), Name: cp.j.x.Graph.GetName(), Writer: cp.m.o.Version}
	cp.core = checkpoint.New(cp.settings, name, cp.graph, cp.m.o.Epoch, f.next, f.completed)
	if point, _ := cp.core.RestorePoint(); point != nil {
		plan, err := cp.plan(point)
		if err != nil {
			return fmt.Errorf("start from %s: %w", point.Path, err)
		}
		for _, name := range plan.Unclaimed {
			cp.j.note("state that no operator wants is left out: " + name)
		}
	}
	return nil
}

// failForGood ends a job that cannot start.
func (m *JobManager) failForGood(j *job, err error) {
	f := &planpb.Failure{Domain: planpb.FailureDomain_USER, Message: err.Error(), TimestampMs: nowMs()}
	j.failures = append([]*planpb.Failure{f}, j.failures...)
	j.cause, j.waitingSince, j.next = f, time.Time{}, planpb.JobStatus_FAILED
	if j.move(planpb.JobStatus_FAILING, f) {
		m.stopWorkers(j, "the job failed: "+err.Error())
		m.workersGone(j)
	}
}

// plan says who reads what of a checkpoint.
func (cp *checkpoints) plan(point *checkpoint.Completed) (*restore.Plan, error) {
	return execution.RestorePlan(&cp.graph, point, cp.settings.AllowNonRestored || !point.Foreign)
}

// deployable tells that it is known what the tasks begin with. Otherwise they are deployed when it is.
func (cp *checkpoints) deployable() bool {
	if cp == nil || cp.core == nil {
		return true
	}
	_, ready := cp.core.RestorePoint()
	cp.deploying = !ready
	return ready
}

// equip says in the tasks' descriptions what they begin with.
func (cp *checkpoints) equip(tasks map[int][]*controlpb.TaskDeployment) error {
	if cp == nil || cp.core == nil {
		return nil
	}
	point, _ := cp.core.RestorePoint()
	cp.restored, cp.restoredAt = point, nowMs()
	if point == nil {
		return nil
	}
	plan, err := cp.plan(point)
	if err != nil {
		return fmt.Errorf("restore from %s: %w", point.Path, err)
	}
	root := point.Manifest.Base
	if root == "" {
		root = cp.dir.URI()
	}
	for _, list := range tasks {
		for _, td := range list {
			td.Restore = execution.TaskRestore(&cp.graph, plan, checkpoint.Task{Vertex: cp.vertices[td.GetId().GetVertexId()], Subtask: int(td.GetId().GetSubtask())})
			td.Restore.Epoch, td.Restore.Id, td.Restore.Path, td.Restore.Root = point.Epoch, point.ID, point.Path, root
		}
	}
	cp.j.note(fmt.Sprintf("the job goes on from %s %d, %s", point.Kind, point.ID, point.Path))
	return nil
}

// from says, for people, what the next attempt begins with.
func (cp *checkpoints) from() string {
	if cp != nil && cp.core != nil {
		if point, ready := cp.core.RestorePoint(); ready && point != nil {
			return fmt.Sprintf("from %s %d", point.Kind, point.ID)
		} else if !ready {
			return "from the newest checkpoint"
		}
	}
	return "from the beginning"
}

// taskChanged tells the core when all tasks run, and which come to their end.
func (cp *checkpoints) taskChanged(a *execution.Attempt) {
	if cp == nil || cp.core == nil || cp.j.x.Status != planpb.JobStatus_RUNNING {
		return
	}
	if !cp.live {
		cp.enliven()
		return
	}
	if a.State == controlpb.ExecutionState_STATE_FINISHED {
		cp.perform(cp.core.Finished(cp.taskOf(a), a.Number, time.Now()))
	}
}

// members are the current attempt's tasks; all tells that each runs or has finished.
func (cp *checkpoints) members() (members []checkpoint.Member, all bool) {
	all = true
	cp.j.x.Each(func(a *execution.Attempt) {
		finished := a.State == controlpb.ExecutionState_STATE_FINISHED
		all = all && (finished || a.State == controlpb.ExecutionState_STATE_RUNNING)
		members = append(members, checkpoint.Member{Task: cp.taskOf(a), Attempt: a.Number, Finished: finished})
	})
	return members, all
}

func (cp *checkpoints) taskOf(a *execution.Attempt) checkpoint.Task {
	return checkpoint.Task{Vertex: cp.vertices[a.Vertex.GetId()], Subtask: a.Subtask}
}

// halt tells the core that the attempt is over.
func (cp *checkpoints) halt(reason string) {
	if cp == nil || cp.core == nil {
		return
	}
	cp.live, cp.deploying = false, false
	cp.perform(cp.core.Halt(reason, time.Now()))
}

// stopped tells that the job has ended with a savepoint, whatever its tasks do.
func (cp *checkpoints) stopped() bool { return cp != nil && cp.core != nil && cp.core.Stopped() != nil }

// end tells the core how the job has ended, and calls next in the loop when nothing is left to do.
func (cp *checkpoints) end(how planpb.JobStatus, next func()) {
	if cp == nil || cp.core == nil {
		next()
		return
	}
	cp.ended, cp.ending = checkpoint.JobFailed, next
	switch how {
	case planpb.JobStatus_FINISHED:
		cp.ended = checkpoint.JobFinished
	case planpb.JobStatus_CANCELED:
		cp.ended = checkpoint.JobCanceled
	}
	cp.live = false
	cp.settleEnd()
}

// settleEnd ends when no publication is on its way.
func (cp *checkpoints) settleEnd() {
	_, ready := cp.core.RestorePoint()
	cp.perform(cp.core.End(cp.ended, time.Now()))
	if !ready {
		return // again with its outcome
	}
	next := cp.ending
	cp.ending = nil
	if cp.timer != nil {
		cp.timer.Stop()
	}
	kept := len(cp.core.Completed())
	cp.store.add(func() {
		if cp.dir != nil && kept == 0 {
			ctx, cancel := context.WithTimeout(context.Background(), cleanLimit)
			defer cancel()
			if err := cp.dir.Remove(ctx); err != nil && !errors.Is(err, hdfsstate.ErrFenced) {
				cp.m.o.Log.Warn("the directory of a job's checkpoints could not be removed", "job", cp.j.id, "path", cp.dir.URI(), "error", err)
			}
		}
		cp.m.l.post(next)
	})
}

// serial does one thing after the other, beside the loop.
type serial struct {
	mu    sync.Mutex
	queue []func()
	busy  bool
}

func (s *serial) add(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, f)
	if !s.busy {
		s.busy = true
		go s.run()
	}
}

func (s *serial) run() {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.busy = false
			s.mu.Unlock()
			return
		}
		f := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		f()
	}
}
