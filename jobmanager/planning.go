package jobmanager

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/planproc"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/jobview"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
)

// maxPlannings bounds how many mains of uploaded programs run or wait at the same time.
const maxPlannings = 16

var _ rest.Programs = (*backend)(nil)

// planning is the main of an uploaded program that makes its job graph, in a slot of a TaskManager. The loop owns it, except for
// done.
type planning struct {
	start *controlpb.StartPlan
	// holder has the slot, in the job's place. It is in no list of jobs.
	holder *job
	// tm runs it; nil while it waits for a slot, since waitingSince.
	tm           *taskManager
	waitingSince time.Time
	// done gets one value.
	done chan planOutcome
}

type planOutcome struct {
	graph *planpb.JobGraph
	err   error
}

// PlanProgram is rest.Programs'.
func (b *backend) PlanProgram(ctx context.Context, r rest.ProgramRequest) (rest.Plan, error) {
	g, err := b.m.plan(ctx, r, false)
	if err != nil {
		return rest.Plan{}, err
	}
	return jobview.Plan(&jobview.Job{ID: r.Job, Graph: g}), nil
}

// RunProgram is rest.Programs'.
func (b *backend) RunProgram(ctx context.Context, r rest.ProgramRequest) (id.Job, error) {
	g, err := b.m.plan(ctx, r, true)
	if err != nil {
		return id.Job{}, err
	}
	if b.m.o.Files != nil {
		if err := planproc.CheckFiles(ctx, b.m.o.Files, g); err != nil {
			return id.Job{}, rest.Invalid("%v", err)
		}
	}
	reply, err := b.Submit(ctx, &restpb.SubmitRequest{JobId: r.Job.String(), Graph: g, Binary: r.Binary, Args: r.Args, Environment: b.m.environment(),
		Config: rest.WithoutSecrets(r.Config), Detached: true})
	if err != nil {
		return id.Job{}, err
	}
	return id.ParseJob(reply.GetJobId())
}

// environment is what this process gives to those of jobs, where a client gives them its own.
func (m *JobManager) environment() map[string]string {
	return planproc.Environment(os.Getenv, m.o.Config.WithPrefix("containerized.taskmanager.env."))
}

// plan has a TaskManager run main and gives the graph. whole main is for a job that is to be submitted.
func (m *JobManager) plan(ctx context.Context, r rest.ProgramRequest, whole bool) (*planpb.JobGraph, error) {
	effective := m.o.Config.Clone()
	for k, v := range r.Config {
		effective.Set(config.CommandLine, k, v, "request")
	}
	if err := effective.Check(); err != nil {
		return nil, rest.Invalid("%v", err)
	}
	p := &planning{done: make(chan planOutcome, 1), waitingSince: time.Now(), holder: &job{m: m, id: r.Job}}
	p.start = &controlpb.StartPlan{Id: id.NewJob().String(), JobId: r.Job.String(), Binary: r.Binary, Args: r.Args, Environment: m.environment(),
		Config: rest.WithoutSecrets(effective.Map()), TimeoutMs: config.Get(effective, config.PlanTimeout).Milliseconds(), Whole: whole}
	if _, err := query(ctx, m, func() (struct{}, error) { return struct{}{}, m.enterPlanning(p) }); err != nil {
		return nil, err
	}
	select {
	case o := <-p.done:
		if g := o.graph; o.err == nil && g.GetProtocolMajor() != version.Major {
			return nil, rest.Invalid("the program was built with SDK %s, which speaks plan protocol %d.%d; this cluster speaks %d.%d: build it with the cluster's SDK",
				g.GetSdkVersion(), g.GetProtocolMajor(), g.GetProtocolMinor(), version.Major, version.Minor)
		}
		return o.graph, o.err
	case <-ctx.Done():
		m.l.post(func() { m.stopPlanning(p, "nobody waits for it any more") })
		return nil, context.Cause(ctx)
	case <-m.l.done:
		return nil, errStopped
	}
}

// enterPlanning begins one, or says why not. It is called in the loop.
func (m *JobManager) enterPlanning(p *planning) error {
	if m.ending {
		return rest.Unavailable("the cluster is being shut down")
	}
	if err := m.takes(&restpb.SubmitRequest{JobId: p.start.GetJobId()}); err != nil {
		return err
	}
	if m.jobs[p.holder.id] != nil {
		return rest.Conflict("job %s has been submitted already", p.holder.id)
	}
	for _, other := range m.plannings {
		if other.holder.id == p.holder.id {
			return rest.Conflict("job %s is being planned already", p.holder.id)
		}
	}
	if len(m.plannings) >= maxPlannings {
		return rest.Unavailable("%d programs are being planned already: try again later", len(m.plannings))
	}
	m.plannings = append(m.plannings, p)
	m.o.Log.Info("planning an uploaded program", "job", p.holder.id, "name", p.start.GetBinary().GetName())
	m.schedule()
	return nil
}

// schedulePlannings gives slots to those that wait. They come before the jobs: each needs one slot, for a short time.
func (m *JobManager) schedulePlannings() {
	for _, p := range m.plannings {
		if p.tm != nil {
			continue
		}
		slots := m.take(1)
		if slots == nil {
			return
		}
		s := slots[0]
		s.tm.slots[s.index] = p.holder
		p.tm = s.tm
		p.tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StartPlan{StartPlan: p.start}})
	}
}

// waitingPlannings counts those without a slot.
func (m *JobManager) waitingPlannings() int {
	n := 0
	for _, p := range m.plannings {
		if p.tm == nil {
			n++
		}
	}
	return n
}

// planned handles a TaskManager's word that a main is gone.
func (m *JobManager) planned(tm *taskManager, r *controlpb.Planned) {
	for _, p := range m.plannings {
		if p.tm != tm || p.start.GetId() != r.GetId() {
			continue
		}
		o := planOutcome{graph: r.GetGraph()}
		switch {
		case r.GetError() != "" && r.GetExternal():
			o.err = &rest.Error{Status: http.StatusInternalServerError, Message: fmt.Sprintf("planning on TaskManager %s: %s", tm.id, r.GetError())}
		case r.GetError() != "":
			o.err = rest.Invalid("%s", r.GetError())
		case len(r.GetGraph().GetVertices()) == 0:
			o.err = rest.Invalid("main has handed over a job graph without vertices")
		}
		m.leavePlanning(p, o)
		return
	}
}

// leavePlanning ends one; its slot is free again.
func (m *JobManager) leavePlanning(p *planning, o planOutcome) {
	m.plannings = slices.DeleteFunc(m.plannings, func(other *planning) bool { return other == p })
	p.done <- o
	if p.tm != nil {
		m.giveBack(p.holder, p.tm)
	}
	m.schedule()
}

// stopPlanning gives one up whose graph nobody wants. One that runs has its slot until it is gone.
func (m *JobManager) stopPlanning(p *planning, reason string) {
	switch {
	case !slices.Contains(m.plannings, p):
	case p.tm == nil:
		m.leavePlanning(p, planOutcome{err: rest.Unavailable("%s", reason)})
	default:
		p.tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_StopPlan{StopPlan: &controlpb.StopPlan{Id: p.start.GetId(), Reason: reason}}})
	}
}

// losePlannings ends those of a TaskManager that is gone.
func (m *JobManager) losePlannings(tm *taskManager, reason string) {
	for _, p := range slices.Clone(m.plannings) {
		if p.tm == tm {
			p.tm = nil // there is no slot to give back
			m.leavePlanning(p, planOutcome{err: rest.Unavailable("%s, while main of the program ran there", lostText(tm.id, reason))})
		}
	}
}

// expirePlannings ends those that got no slot: those that have waited for longer than limit, when is how long that was.
func (m *JobManager) expirePlannings(now time.Time, limit time.Duration, when string) {
	for _, p := range slices.Clone(m.plannings) {
		if p.tm == nil && now.Sub(p.waitingSince) > limit {
			m.leavePlanning(p, planOutcome{err: rest.Unavailable("main of the program needs %s", m.noSlots(1, when))})
		}
	}
}
