package am

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/yarnrpc"
)

// fakeNodes is a NodeManager whose containers end some time after they were told to.
type fakeNodes struct {
	mu    sync.Mutex
	err   error
	told  int
	asked int
	state yarnrpc.ContainerState
	lost  bool
}

func (n *fakeNodes) StopContainers(_ context.Context, _ yarnrpc.NodeID, ids ...yarnrpc.ContainerID) (yarnrpc.Results, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told++
	return yarnrpc.Results{ids[0]: nil}, n.err
}

func (n *fakeNodes) ContainerStatuses(_ context.Context, _ yarnrpc.NodeID, ids ...yarnrpc.ContainerID) ([]yarnrpc.ContainerStatus, yarnrpc.Results, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	if n.lost {
		return nil, yarnrpc.Results{ids[0]: errors.New("is not handled by this NodeManager")}, nil
	}
	return []yarnrpc.ContainerStatus{{ID: ids[0], State: n.state}}, nil, n.err
}

func (n *fakeNodes) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

func (n *fakeNodes) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	await.Until(t, what, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return ok()
	})
}

func earlierContainer(n int64) yarnrpc.Container {
	return yarnrpc.Container{ID: yarnrpc.ContainerID{Attempt: yarnrpc.AttemptID{Number: 1}, Number: n}, Node: yarnrpc.NodeID{Host: "h", Port: 1}}
}

func isGone(e *earlier) bool {
	select {
	case <-e.none:
		return true
	default:
		return false
	}
}

// Jobs of the attempt before begin again when YARN says that each of its containers has ended, by whichever way it says so.
func TestEarlierContainers(t *testing.T) {
	n := &fakeNodes{state: yarnrpc.ContainerRunning, err: errors.New("connection refused")}
	e := newEarlier(n, yarnrpc.AttemptID{Number: 2}, slog.New(slog.DiscardHandler))
	if isGone(e) {
		t.Fatal("gone before it is known what there was")
	}
	e.begin(t.Context(), []yarnrpc.Container{earlierContainer(1), earlierContainer(2)})
	n.until(t, "an unsuccessful question", func() bool { return n.told > 2 })
	n.set(func() { n.err = nil })
	n.until(t, "the question whether it has ended", func() bool { return n.asked > 2 })
	// A node that the ResourceManager has lost may run it still.
	e.completed(yarnrpc.ContainerStatus{ID: earlierContainer(1).ID, ExitStatus: yarnrpc.ExitAborted})
	e.completed(yarnrpc.ContainerStatus{ID: earlierContainer(1).ID, ExitStatus: 143})
	e.completed(yarnrpc.ContainerStatus{ID: earlierContainer(9).ID, ExitStatus: 143})
	if isGone(e) {
		t.Fatal("gone while one runs")
	}
	n.set(func() { n.state = yarnrpc.ContainerComplete })
	e.gone(t.Context())
	if !isGone(e) {
		t.Error("the end was not seen")
	}
	// One that is reported later is stopped too.
	told := 0
	n.set(func() { told = n.told })
	e.stop(t.Context(), []yarnrpc.Container{earlierContainer(3)})
	n.until(t, "the late one is stopped", func() bool { return n.told > told })
}

// Without the word of anybody who has seen the end nothing is gone.
func TestEarlierContainersNotSeen(t *testing.T) {
	n := &fakeNodes{lost: true}
	e := newEarlier(n, yarnrpc.AttemptID{Number: 2}, slog.New(slog.DiscardHandler))
	e.begin(t.Context(), []yarnrpc.Container{earlierContainer(1)})
	n.until(t, "a question", func() bool { return n.asked > 0 })
	e.completed(yarnrpc.ContainerStatus{ID: earlierContainer(1).ID, ExitStatus: yarnrpc.ExitAborted})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.gone(ctx)
	if isGone(e) {
		t.Error("gone although nobody has seen it")
	}
	none := newEarlier(n, yarnrpc.AttemptID{Number: 2}, slog.New(slog.DiscardHandler))
	own := earlierContainer(7)
	own.ID.Attempt.Number = 2
	none.begin(t.Context(), []yarnrpc.Container{own})
	none.gone(t.Context())
}
