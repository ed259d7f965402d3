package client

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/yarnrpc"
)

const (
	// pollInterval is how often the ResourceManager is asked while something is awaited.
	pollInterval = 25 * time.Millisecond
	// explainAfter and explainEvery are when it is said why the application does not run yet.
	explainAfter = 3 * time.Second
	explainEvery = 20 * time.Second
	// slowAfter is when Flink's line about slow deployments is said.
	slowAfter = 60 * time.Second
)

// watch waits until the application runs.
func (d *deployment) watch(ctx context.Context, s yarnrpc.Submission) (yarnrpc.ApplicationReport, error) {
	say := d.client.Console.Say
	say("Waiting for the cluster to be allocated")
	start, lastExplained, slow := time.Now(), time.Time{}, false
	last, why := yarnrpc.ApplicationState(""), ""
	var known yarnrpc.ApplicationReport
	for {
		r, err := d.rm.Report(ctx, d.app)
		if err != nil {
			return r, d.notRunning(ctx, err, why, known, s)
		}
		known = r
		if r.State != last {
			last = r.State
			if !r.State.Ended() && r.State != yarnrpc.StateRunning {
				say("Deploying cluster, current state %s", r.State)
			}
		}
		switch {
		case r.State == yarnrpc.StateRunning:
			return r, nil
		case r.State.Ended():
			d.submitted = false
			return r, &Failure{ExitFailed, errors.New(d.kind.noun + " did not start: " + explainEnded(r) + d.logHint())}
		}
		waited := time.Since(start)
		if waited > explainAfter && time.Since(lastExplained) > explainEvery {
			lastExplained = time.Now()
			if why = d.whyAccepted(ctx, r, s); why != "" {
				say("%s", why)
			}
		}
		if waited > slowAfter && !slow {
			slow = true
			say("Deployment took more than 60 seconds. Please check if the requested resources are available in the YARN cluster")
		}
		if err := delay.For(ctx, pollInterval); err != nil {
			return r, d.notRunning(ctx, err, why, known, s)
		}
	}
}

// notRunning is the error for a wait that was ended from outside; known is the last report and why what was told of it.
func (d *deployment) notRunning(ctx context.Context, err error, why string, known yarnrpc.ApplicationReport, s yarnrpc.Submission) error {
	var late *submitTimeout
	if errors.As(context.Cause(ctx), &late) {
		if why == "" {
			// The limit is short, or the answers came late.
			asking, cancel := cleanupContext()
			defer cancel()
			why = d.whyAccepted(asking, known, s)
		}
		if why != "" {
			why = ": " + strings.TrimPrefix(why, d.app.String()+" ")
		}
		return unreachable("%s %w%s", d.app, late, why)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return explainRM(err)
}

// whyAccepted asks what is known about the cluster and makes a sentence of it.
func (d *deployment) whyAccepted(ctx context.Context, r yarnrpc.ApplicationReport, s yarnrpc.Submission) string {
	if r.State != yarnrpc.StateAccepted {
		return ""
	}
	nodes, err := d.rm.ClusterNodes(ctx, yarnrpc.NodeRunning)
	if err != nil {
		return ""
	}
	var queue *yarnrpc.QueueInfo
	if q, err := d.rm.Queue(ctx, r.Queue); err == nil {
		queue = &q
	}
	return explainAccepted(r, s.AM, nodes, queue)
}

// logHint says where the logs of a JobManager are that did not start.
func (d *deployment) logHint() string {
	return "; its logs: yarn logs -applicationId " + d.app.String()
}
