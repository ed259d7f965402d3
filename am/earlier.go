package am

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/yarnrpc"
)

// attemptsOfLeader is how far apart the execution attempts lie that two JobManagers of an application number (F2).
const attemptsOfLeader = 1_000_000

// stopRetry is the pause between two questions to a NodeManager about a container that is to end.
const stopRetry = 250 * time.Millisecond

// stopper stops containers and tells how they are; yarnrpc.NodeManagers does.
type stopper interface {
	StopContainers(ctx context.Context, node yarnrpc.NodeID, ids ...yarnrpc.ContainerID) (yarnrpc.Results, error)
	ContainerStatuses(ctx context.Context, node yarnrpc.NodeID, ids ...yarnrpc.ContainerID) ([]yarnrpc.ContainerStatus, yarnrpc.Results, error)
}

// earlier are the containers that the attempt before has left (YARN keeps them for this one). Until checkpoints exist there is
// nothing in them to go on with, so they are stopped, and jobs wait for YARN's word that they are gone: a worker in one of them
// could still commit (F3).
type earlier struct {
	nodes stopper
	// own is this attempt: a ResourceManager that has restarted names its containers, too.
	own yarnrpc.AttemptID
	log *slog.Logger

	mu   sync.Mutex
	left map[yarnrpc.ContainerID]context.CancelFunc
	// none is closed when none is left; sealed tells that the first of them are known.
	none   chan struct{}
	sealed bool
}

func newEarlier(nodes stopper, own yarnrpc.AttemptID, log *slog.Logger) *earlier {
	return &earlier{nodes: nodes, own: own, log: log, left: map[yarnrpc.ContainerID]context.CancelFunc{}, none: make(chan struct{})}
}

// begin stops what was there when this attempt registered.
func (e *earlier) begin(ctx context.Context, list []yarnrpc.Container) {
	e.stop(ctx, list)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sealed = true
	e.check()
}

// stop stops containers and goes on until they have ended or ctx has.
func (e *earlier) stop(ctx context.Context, list []yarnrpc.Container) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range list {
		if c.ID.Attempt == e.own || e.left[c.ID] != nil {
			continue
		}
		e.log.Info("stopping a container of the attempt before", "container", c.ID.String(), "node", c.Node.String())
		ctx, cancel := context.WithCancel(ctx)
		e.left[c.ID] = cancel
		go e.see(ctx, c)
	}
}

// see asks a container's NodeManager to stop it, and then until it has ended.
func (e *earlier) see(ctx context.Context, c yarnrpc.Container) {
	for stopped, told := false, false; ; {
		var err error
		var results yarnrpc.Results
		if !stopped {
			results, err = e.nodes.StopContainers(ctx, c.Node, c.ID)
			stopped = err == nil && results[c.ID] == nil
		}
		if err == nil {
			var list []yarnrpc.ContainerStatus
			list, results, err = e.nodes.ContainerStatuses(ctx, c.Node, c.ID)
			switch {
			case err != nil:
			case len(list) == 1 && list[0].State == yarnrpc.ContainerComplete:
				e.ended(c.ID, "stopped")
				return
			case results[c.ID] != nil:
				// It forgets a container when this attempt has heard of its end, or because it was started again itself and has
				// lost sight of what runs.
				e.log.Warn("the NodeManager does not know a container of the attempt before", "container", c.ID.String(), "error", results[c.ID])
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil && !told {
			told = true
			e.log.Warn("a container of the attempt before could not be stopped yet", "container", c.ID.String(), "error", err)
		}
		if delay.For(ctx, stopRetry) != nil {
			return
		}
	}
}

// completed takes the ResourceManager's word, but for containers that ended because their node was lost: nobody has seen those.
func (e *earlier) completed(s yarnrpc.ContainerStatus) {
	if s.ExitStatus != yarnrpc.ExitAborted {
		e.ended(s.ID, s.Explain())
	}
}

func (e *earlier) ended(id yarnrpc.ContainerID, how string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	cancel := e.left[id]
	if cancel == nil {
		return
	}
	cancel()
	delete(e.left, id)
	e.log.Info("a container of the attempt before has ended", "container", id.String(), "how", how, "left", len(e.left))
	e.check()
}

// check closes none once; the caller holds mu.
func (e *earlier) check() {
	if !e.sealed || len(e.left) > 0 {
		return
	}
	select {
	case <-e.none:
	default:
		close(e.none)
	}
}

// gone waits until none is left, or for the end of ctx.
func (e *earlier) gone(ctx context.Context) {
	select {
	case <-e.none:
	case <-ctx.Done():
	}
}
