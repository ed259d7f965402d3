package planproc

import (
	"context"
	"fmt"
	"time"

	"github.com/weft-project/weft/rpc/planpb"
)

// LateError is for a main that ended with an error after its jobs had ended.
type LateError struct {
	err  error
	said string
}

// Error gives main's error and the end of its output.
func (e *LateError) Error() string {
	return fmt.Sprintf("main ended with an error after its jobs (%v)%s", e.err, e.said)
}

// Unwrap gives main's error.
func (e *LateError) Unwrap() error { return e.err }

// Serve answers each Execute of main with what execute gives, one after the other, until main ends. limit bounds how long main may
// take to its first. A main that ends badly after its jobs gives a [LateError], one that never calls Execute what WithoutExecute says.
func (p *Process) Serve(ctx context.Context, limit time.Duration, execute func(context.Context, *planpb.JobGraph) (*planpb.JobResult, error)) error {
	for jobs := 0; ; jobs++ {
		graph, err := p.Next(ctx, limit)
		if err != nil {
			return err
		}
		if graph == nil {
			return p.served(ctx, jobs)
		}
		result, err := execute(ctx, graph)
		if err != nil {
			return err
		}
		if err := p.Say(&planpb.ToPlan{Kind: &planpb.ToPlan_Result{Result: result}}); err != nil {
			return err
		}
		// The limit is for planning; what main does between two calls of Execute is its own affair.
		limit = 0
	}
}

// served tells how a main has ended that calls Execute no more.
func (p *Process) served(ctx context.Context, jobs int) error {
	err := p.Wait(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case jobs == 0:
		return p.WithoutExecute()
	case err != nil:
		return &LateError{err, p.output()}
	}
	return nil
}
