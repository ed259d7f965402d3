package worker

import (
	"context"
	"fmt"

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
	for _, v := range p.Graph.GetVertices() {
		for _, o := range v.GetOperators() {
			subtasks[o.GetId()] = int(v.GetParallelism())
		}
	}
	t.opctx = &operator.Context{Ctx: t.ctx, Attempt: t.attempt, JobAttempt: t.r.cfg.JobAttempt, JobName: p.Graph.GetName(),
		TaskName: t.vertex.GetName(), Parallelism: 1, MaxParallelism: 1, Files: t.r.cfg.Files, Log: t.r.cfg.Log,
		Config: t.r.cfg.Config, Op: -1}
	host, err := operator.NewCoordinatorHost(t.ctx, t.opctx, p.Coordinators, subtasks)
	if err != nil {
		return err
	}
	defer host.Close()
	t.r.cfg.Manager.Handle(service, func(ctx context.Context, from id.Attempt, payload []byte) ([]byte, error) {
		if len(payload) < opIDLen {
			return nil, fmt.Errorf("coordinator request of %d bytes: expected at least an operator id", len(payload))
		}
		return host.Handle(ctx, string(payload[:opIDLen]), from.Subtask, payload[opIDLen:])
	})
	defer t.r.cfg.Manager.Handle(service, nil)
	t.report(controlpb.ExecutionState_STATE_RUNNING, nil)
	if err := host.Wait(t.ctx); err != nil {
		return context.Cause(t.ctx)
	}
	return nil
}
