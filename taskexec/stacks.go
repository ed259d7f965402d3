package taskexec

import (
	"bytes"
	"fmt"
	"time"

	"github.com/weft-project/weft/internal/stacks"
	"github.com/weft-project/weft/rpc/controlpb"
)

const (
	// stacksLimit bounds the wait for the stacks of all workers.
	stacksLimit = 5 * time.Second
	// maxStacks bounds the text of all of them, in bytes: it travels in one message.
	maxStacks = 4 * stacks.Max
	// maxDumps bounds the questions that a worker has not answered; one that does not read is asked no more.
	maxDumps = 16
)

// askedWorker is a worker that was asked for the stacks of its goroutines.
type askedWorker struct {
	name string
	text <-chan []byte
	gone <-chan struct{}
}

// askStacks asks all workers. It is called in the loop.
func (m *manager) askStacks() []askedWorker {
	var out []askedWorker
	for _, w := range m.workers {
		if w.pid() == 0 {
			continue
		}
		if w.dumps == nil {
			w.dumps = map[uint64]chan []byte{}
		}
		text := make(chan []byte, 1)
		if len(w.dumps) < maxDumps {
			w.dump++
			w.dumps[w.dump] = text
			w.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Stacks{Stacks: w.dump}})
		}
		out = append(out, askedWorker{fmt.Sprintf("worker %.8s-%d", w.start.GetJobId(), w.start.GetJobAttempt()), text, w.gone})
	}
	return out
}

// tookStacks hands a worker's answer on. It is called in the loop.
func (w *worker) tookStacks(s *controlpb.Stacks) {
	if text := w.dumps[s.GetId()]; text != nil {
		delete(w.dumps, s.GetId())
		text <- s.GetText()
	}
}

// allStacks are those of this process and of the workers that answer in time.
func allStacks(workers []askedWorker) []byte {
	parts := [][]byte{stacks.All()}
	size := len(parts[0])
	limit := time.NewTimer(stacksLimit)
	defer limit.Stop()
	late := false
	for _, w := range workers {
		var part []byte
		if !late {
			select {
			case text := <-w.text:
				part = stacks.Of(w.name, text)
			case <-w.gone:
				continue
			case <-limit.C:
				late = true
			}
		}
		if part == nil {
			part = fmt.Appendf(nil, "%s [no answer within %s]:", w.name, stacksLimit)
		}
		if size += len(part); size > maxStacks {
			part = fmt.Appendf(nil, "%s [left out: more than %d MiB of goroutines]:", w.name, maxStacks>>20)
		}
		parts = append(parts, part)
	}
	return bytes.Join(parts, []byte("\n\n"))
}
