package worker

import (
	"context"
	"fmt"

	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
)

// service is the name under which a job's coordinator task answers; a request is the operator's id (32 characters) and
// what its coordinator understands.
const service = "coordinator"

const opIDLen = 32

// callCoordinator reaches the job's coordinator task.
func (t *task) callCoordinator(ctx context.Context, operatorID string, payload []byte) ([]byte, error) {
	if t.coordinator == "" {
		return nil, fmt.Errorf("operator %s needs a coordinator and the job has none", operatorID)
	}
	return t.r.cfg.Manager.Call(ctx, t.coordinator, service, t.attempt, append([]byte(operatorID), payload...))
}

// coordinate is the body of the coordinator task.
func (t *task) coordinate() error {
	p := t.r.cfg.Program
	subtasks := map[string]int{}
	var names, ids []string
	for _, v := range p.Graph.GetVertices() {
		for _, o := range v.GetOperators() {
			subtasks[o.GetId()] = int(v.GetParallelism())
			names, ids = append(names, o.GetName()), append(ids, o.GetId())
		}
	}
	t.opctx = &operator.Context{Ctx: t.ctx, Attempt: t.attempt, JobAttempt: t.r.cfg.JobAttempt, JobName: p.Graph.GetName(),
		TaskName: t.vertex.GetName(), Parallelism: 1, MaxParallelism: 1, Files: t.r.cfg.Files, Log: t.r.cfg.Log,
		Config: t.r.cfg.Config, Time: eventtime.None, Op: -1, Ops: names, OpIDs: ids}
	ctx, fail := context.WithCancelCause(t.ctx)
	defer fail(nil)
	from, err := t.coordinatorRestore()
	if err != nil {
		return err
	}
	host, err := operator.NewCoordinatorHost(ctx, t.opctx, p.Coordinators, subtasks, from)
	if err != nil {
		return err
	}
	defer host.Close()
	t.keeper.serve(host)
	defer t.keeper.serve(nil)
	t.r.cfg.Manager.Handle(service, func(ctx context.Context, from id.Attempt, payload []byte) ([]byte, error) {
		if len(payload) < opIDLen {
			return nil, fmt.Errorf("coordinator request of %d bytes: expected at least an operator id", len(payload))
		}
		return t.handle(ctx, host, string(payload[:opIDLen]), from.Subtask, payload[opIDLen:], fail)
	})
	defer t.r.cfg.Manager.Handle(service, nil)
	t.report(controlpb.ExecutionState_STATE_RUNNING, nil)
	if err := host.Wait(ctx); err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	} else if err != nil {
		return err
	}
	return nil
}

// handle answers a request. A panic of the author's code is the failure of the coordinator task, not of the subtask that asked
// and not of the process: the question stays unanswered until the job's other tasks are canceled.
func (t *task) handle(ctx context.Context, host *operator.CoordinatorHost, op string, subtask int, payload []byte, fail context.CancelCauseFunc) (answer []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			fail(t.panickedIn(op, p))
			<-ctx.Done()
			err = ctx.Err()
		}
	}()
	return host.Handle(ctx, op, subtask, payload)
}
