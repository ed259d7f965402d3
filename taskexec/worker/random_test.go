package worker_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/weft-project/weft/internal/randomjob"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/taskexec/worker"
)

// drawn collects what comes out of a random program.
type drawn struct {
	mu  sync.Mutex
	out map[string]int
}

func (d *drawn) Record(sink, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out[sink+": "+text]++
}

// Total keeps the highest, which is the last.
func (d *drawn) Total(sink, key string, n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out[sink+" of "+key] = max(d.out[sink+" of "+key], int(n))
}

func (d *drawn) take() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.out
	d.out = map[string]int{}
	return out
}

// Random programs give the same over several workers as in one process, whatever the buffers are.
func TestRandomProgramsOverWorkers(t *testing.T) {
	for seed := uint64(1); seed <= 25; seed++ {
		rnd := rand.New(rand.NewPCG(seed, 2))
		out := &drawn{out: map[string]int{}}
		mode := []stream.Mode{stream.Streaming, stream.Batch}[rnd.IntN(2)]
		segment := []string{"1 kb", "2 kb", "32 kb"}[rnd.IntN(3)]
		p := programOf(t, func(env *stream.Env) {
			env.SetMode(mode)
			env.SetParallelism(1 + rnd.IntN(4))
			env.Set("execution.buffer-timeout.interval", []string{"0", "1 ms", "20 ms"}[rnd.IntN(3)])
			env.Set("taskmanager.memory.segment-size", segment)
			randomjob.Build(env, seed, out)
		})
		result, err := worker.RunLocal(t.Context(), p, localFiles(), logTo(t))
		if err != nil || result.GetStatus() != planpb.JobStatus_FINISHED {
			t.Fatalf("seed %d: %v, %v", seed, err, result)
		}
		want := out.take()
		n := 2 + rnd.IntN(2)
		startWorkers(t, p, n, p.Graph.GetConfig()).run().finished(t, totalTasks(p))
		sameRecords(t, fmt.Sprintf("seed %d, mode %d, %d workers, buffers of %s", seed, mode, n, segment), out.take(), want)
		if t.Failed() {
			return
		}
	}
}

// A record of 10 MiB goes over the network in pieces, with smaller ones between.
func TestALargeRecordOverWorkers(t *testing.T) {
	out := &collected{}
	p := programOf(t, func(env *stream.Env) {
		env.SetParallelism(2)
		s := stream.Generate(env, "large", 8, func(i int64) string { return strings.Repeat(string(rune('a'+i)), 10<<20>>(i%4*4)) })
		stream.ForEach(stream.Broadcast(s), "collect", func(s string) {
			if strings.Trim(s, s[:1]) != "" {
				s = "spoilt"
			}
			out.add(s)
		})
	})
	startWorkers(t, p, 2, nil).run().finished(t, totalTasks(p))
	got := out.take()
	for text, n := range got {
		if n != 2 {
			t.Errorf("%s came %d times, expected 2", text, n)
		}
	}
	if len(got) != 8 {
		t.Errorf("%d different records came, expected 8", len(got))
	}
}
