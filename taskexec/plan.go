package taskexec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/internal/planproc"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// maxGraph bounds a job graph, in bytes: it must fit into a message, and into those that start its workers.
const maxGraph = maxMessage - 1<<20

// plan is the main of an uploaded program, which makes a job graph. It has a slot that the JobManager keeps free for it. The loop
// owns it, except for pid.
type plan struct {
	m     *manager
	start *controlpb.StartPlan
	// end ends it, for a reason.
	end context.CancelCauseFunc
	// pid is 0 while there is no process.
	pid atomic.Int64
	// rss is the resident memory of the process and of its descendants, children the latter's part.
	rss, children int64
}

// startPlan begins a main; Planned is said when it is gone.
func (m *manager) startPlan(start *controlpb.StartPlan) {
	if m.plans[start.GetId()] != nil {
		return
	}
	ctx, end := context.WithCancelCause(context.Background())
	p := &plan{m: m, start: start, end: end}
	m.plans[start.GetId()] = p
	m.o.Log.Info("running the main of an uploaded program", "job", start.GetJobId(), "name", start.GetBinary().GetName())
	go func() {
		planned := p.planned(p.run(ctx))
		end(nil)
		m.post(func() { m.planEnded(p, planned) })
	}()
}

// planEnded tells the JobManager.
func (m *manager) planEnded(p *plan, planned *controlpb.Planned) {
	delete(m.plans, p.start.GetId())
	if text := planned.GetError(); text != "" {
		m.o.Log.Info("the main of an uploaded program has given no graph", "job", p.start.GetJobId(), "reason", text)
	} else {
		m.o.Log.Info("the main of an uploaded program has given its graph", "job", p.start.GetJobId(), "vertices", len(planned.GetGraph().GetVertices()))
	}
	m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Planned{Planned: planned}})
}

// endPlans ends all mains.
func (m *manager) endPlans(reason string) {
	for _, p := range m.plans {
		p.end(errors.New(reason))
	}
}

// planned is the message for an outcome.
func (p *plan) planned(g *planpb.JobGraph, err error) *controlpb.Planned {
	out := &controlpb.Planned{Id: p.start.GetId(), Graph: g}
	if n := proto.Size(g); err == nil && n > maxGraph {
		err = fmt.Errorf("%w: the job graph has %d bytes: expected at most %d; values of stream.Captured are part of it", errUser, n, maxGraph)
	}
	if err != nil {
		out.Graph, out.Error = nil, err.Error()
		out.External = !errors.As(err, new(*planproc.Error)) && !errors.Is(err, errUser)
	}
	return out
}

// run is main from the fetched binary to its end; nothing of it is left then.
func (p *plan) run(ctx context.Context) (g *planpb.JobGraph, err error) {
	binary, err := p.fetch(ctx)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(p.m.o.WorkDir, "plans", filepath.Base(p.start.GetId()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("working directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := p.m.linkShipped(dir); err != nil {
		return nil, err
	}
	tail := &planproc.Tail{}
	process, err := planproc.Start(planproc.Options{
		Path: binary, Name: p.start.GetBinary().GetName(), Args: p.start.GetArgs(), Dir: dir, Env: append(p.m.environment(p.start.GetEnvironment(), dir, 1), p.mark()),
		Config: p.start.GetConfig(), Owned: true, Stdout: tail, Stderr: tail, Said: tail.Said,
	})
	if err != nil {
		return nil, err
	}
	p.pid.Store(int64(process.PID()))
	defer func() {
		process.End()
		p.pid.Store(0)
		endLeftBehind(p.mark())
	}()
	// Told to end, it ends at once, whatever it is asked for at the moment.
	defer context.AfterFunc(ctx, process.End)()
	g, err = p.graph(ctx, process)
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return g, err
}

// fetch brings the program here.
func (p *plan) fetch(ctx context.Context) (string, error) {
	limit := fetchPatience * p.m.o.WorkerStartTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the program could not be brought to TaskManager %s within %s", p.m.o.ID, limit))
	defer cancel()
	binary, err := p.m.fetch(ctx, p.start.GetBinary(), true)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return "", cause
	}
	return binary, err
}

// graph asks main for its graph.
func (p *plan) graph(ctx context.Context, process *planproc.Process) (*planpb.JobGraph, error) {
	limit := time.Duration(p.start.GetTimeoutMs()) * time.Millisecond
	g, err := process.Next(ctx, limit)
	switch {
	case err != nil:
		return nil, err
	case g == nil:
		if err := process.Wait(ctx); ctx.Err() != nil {
			return nil, err
		}
		return nil, process.WithoutExecute()
	case !p.start.GetWhole():
		return g, nil
	}
	return g, process.Rest(ctx, p.start.GetJobId(), limit)
}

// mark is in the environment of main and of what it starts.
func (p *plan) mark() string {
	return fmt.Sprintf("%s=%s/%d/plan/%s", markName, p.m.o.ID, os.Getpid(), p.start.GetId())
}

// over is by how much main exceeds its slot's share, in bytes.
func (p *plan) over() int64 { return p.rss - p.m.share(1) }

// planMemory measures all mains and gives the sum and the one that exceeds its share most, if one does.
func (m *manager) planMemory() (total int64, worst *plan) {
	for _, p := range m.plans {
		p.rss = residentMemory(int(p.pid.Load()))
		if p.rss > 0 {
			p.rss += p.children
		}
		total += p.rss
		if p.over() > 0 && (worst == nil || p.over() > worst.over()) {
			worst = p
		}
	}
	return total, worst
}

// tooLarge ends a main that has filled the container.
func (p *plan) tooLarge() {
	p.end(fmt.Errorf("%w: main used too much memory on TaskManager %s: its process had %d MiB, its share is %d MiB, and the container of %d MiB was nearly full",
		errUser, p.m.o.ID, p.rss>>20, p.m.share(1)>>20, p.m.o.ProcessMemory>>20))
}
