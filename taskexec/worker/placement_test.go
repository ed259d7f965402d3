package worker_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/taskexec/worker"
)

type order struct {
	ID    int64
	Who   string
	Items []string
	Price map[string]float32
}

// placedPrograms cover each way to cross the network: fixed and other types, each partitioner, records of all sizes.
func placedPrograms(out *collected) map[string]func(env *stream.Env) {
	return map[string]func(env *stream.Env){
		"words": func(env *stream.Env) {
			lines := stream.Generate(env, "lines", 2000, func(i int64) string {
				rnd := rand.New(rand.NewPCG(uint64(i), 1))
				return strings.Repeat(fmt.Sprintf("w%d ", rnd.IntN(300)), rnd.IntN(9))
			})
			words := stream.FlatMap(lines, "split", func(l string, emit func(string)) {
				for _, w := range strings.Fields(l) {
					emit(w)
				}
			})
			counts := stream.Count(stream.KeyBy(words, func(w string) string { return w }), "count")
			stream.ForEach(counts, "collect", func(c stream.Counted[string]) { out.add(c) })
		},
		"structs": func(env *stream.Env) {
			orders := stream.Generate(env, "orders", 1000, func(i int64) order {
				return order{i, strings.Repeat("n", int(i%50)), make([]string, i%4), map[string]float32{"p": float32(i)}}
			})
			spoilt := stream.Map(stream.Shuffle(orders), "change", func(o order) order { o.Price["p"]++; o.Items = append(o.Items, "x"); return o })
			stream.ForEach(stream.Broadcast(spoilt), "all", func(o order) { out.add(o) })
			stream.ForEach(stream.Rescale(orders), "as they were", func(o order) { out.add(o) }, stream.Parallelism(2))
			stream.ForEach(stream.Global(orders), "first", func(o order) { out.add(o.ID) })
		},
		"large": func(env *stream.Env) {
			sizes := []int{0, 1, 100, 31 << 10, 32<<10 - 3, 32<<10 - 2, 32<<10 - 1, 32 << 10, 32<<10 + 1, 33 << 10, 200 << 10}
			blobs := stream.Generate(env, "blobs", 200, func(i int64) string {
				rnd := rand.New(rand.NewPCG(uint64(i), 2))
				return strings.Repeat(string(rune('a'+i%26)), sizes[rnd.IntN(len(sizes))])
			})
			stream.ForEach(stream.Union(stream.Rebalance(blobs), stream.Shuffle(blobs)), "collect", func(s string) { out.add(s) })
		},
		"many numbers": func(env *stream.Env) {
			n := stream.Generate(env, "numbers", 100_000, func(i int64) int64 { return i })
			odd := stream.Filter(stream.Rebalance(n), "odd", func(i int64) bool { return i%2 != 0 })
			sum := stream.Sum(stream.KeyBy(odd, func(i int64) int64 { return i % 11 }), "sum", func(i *int64) *int64 { return i })
			stream.ForEach(sum, "collect", func(i int64) { out.add(i) })
		},
	}
}

// TestResultsDoNotDependOnPlacement compares a job in one process with the same job over workers.
func TestResultsDoNotDependOnPlacement(t *testing.T) {
	out := &collected{}
	for name, build := range placedPrograms(out) {
		for timeout, segment := range map[string]string{"5 ms": "32 kb", "0": "32 kb", "-1": "1 kb", "50 ms": "2 kb", "10 ms": "128 kb"} {
			if timeout == "0" && name == "many numbers" {
				continue // a frame for each record takes its time
			}
			p := programOf(t, func(env *stream.Env) {
				env.SetMode(stream.Batch)
				env.SetParallelism(3)
				if timeout == "-1" {
					env.Set("execution.buffer-timeout.enabled", "false")
				} else {
					env.Set("execution.buffer-timeout.interval", timeout)
				}
				env.Set("taskmanager.memory.segment-size", segment)
				build(env)
			})
			result, err := worker.RunLocal(t.Context(), p, localFiles(), logTo(t))
			if err != nil || result.GetStatus() != planpb.JobStatus_FINISHED {
				t.Fatalf("%s: %v, %v", name, result, err)
			}
			want := out.take()
			for _, n := range []int{2, 3} {
				w := startWorkers(t, p, n, p.Graph.GetConfig())
				w.run().finished(t, totalTasks(p))
				sameRecords(t, fmt.Sprintf("%s, timeout %s, buffers of %s, %d workers", name, timeout, segment, n), out.take(), want)
			}
		}
	}
}

func totalTasks(p *operator.Program) int {
	n := 0
	for _, v := range p.Graph.GetVertices() {
		n += int(v.GetParallelism())
	}
	return n
}

// The coordinator task is asked over the network by tasks of other workers.
func TestFilesOverWorkers(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 30 {
		line := fmt.Sprint("line ", i)
		want = append(want, line)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("in", i)), []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(t.TempDir(), "out")
	p := programOf(t, func(env *stream.Env) {
		env.SetParallelism(3)
		stream.WriteText(stream.Rebalance(stream.ReadText(env, "read", dir)), "write", target, func(s string) string { return s }, stream.Parallelism(1))
	})
	o := startWorkers(t, p, 3, nil).run()
	o.finished(t, totalTasks(p))
	data, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, l := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		got[l]++
	}
	for _, l := range want {
		if got[l] != 1 {
			t.Errorf("%q came %d times", l, got[l])
		}
	}
}

// What one task has sent, others have received, also where it ended before they were there to attach.
func TestMetricsAddUp(t *testing.T) {
	for name, tt := range map[string]struct {
		records int64
		inTurn  bool
	}{
		"more than fits into buffers":                   {100_000, false},
		"fits into buffers":                             {100, false},
		"fits into buffers, producer ends, then attach": {100, true},
	} {
		p := programOf(t, func(env *stream.Env) {
			env.SetParallelism(2)
			s := stream.Generate(env, "numbers", tt.records, func(i int64) int64 { return i })
			stream.Discard(stream.Broadcast(s), "end")
		})
		w := startWorkers(t, p, 2, nil)
		w.inTurn = tt.inTurn
		o := w.run()
		o.finished(t, 4)
		var remoteIn, remoteOut, bytesIn, bytesOut int64
		for task, m := range o.metrics {
			remoteIn, remoteOut = remoteIn+m.GetRemoteBytesIn(), remoteOut+m.GetRemoteBytesOut()
			bytesIn, bytesOut = bytesIn+m.GetBytesIn(), bytesOut+m.GetBytesOut()
			in, out := m.GetRecordsIn(), m.GetRecordsOut()
			switch {
			case strings.HasPrefix(task, "Source: ") && (in != 0 || out != tt.records):
				t.Errorf("%s: %s has %d records in and %d out, expected 0 and %d", name, task, in, out, tt.records)
			case strings.HasPrefix(task, "Sink: ") && (in != tt.records || out != 0):
				t.Errorf("%s: %s has %d records in and %d out, expected %d and 0", name, task, in, out, tt.records)
			}
		}
		if remoteIn == 0 || remoteIn != remoteOut || bytesIn < remoteIn || bytesIn != bytesOut {
			t.Errorf("%s: bytes in %d (%d from other workers), out %d (%d to other workers)", name, bytesIn, remoteIn, bytesOut, remoteOut)
		}
	}
}

// The first failure that is told is the author's, not that of the peers who lost their producer.
func TestRootCauseOverWorkers(t *testing.T) {
	p := programOf(t, func(env *stream.Env) {
		env.SetParallelism(4)
		s := stream.Generate(env, "numbers", 1<<50, func(i int64) int64 { return i })
		s = stream.MapWith(stream.Rebalance(s), "breaks", func(c *stream.Context) func(int64) int64 {
			n := c.Counter("seen")
			return func(v int64) int64 {
				if n.Add(1); c.Subtask() == 2 && v > 10_000 {
					panic("enough")
				}
				return v
			}
		})
		stream.Discard(stream.Shuffle(s), "end")
	})
	o := startWorkers(t, p, 2, nil).run()
	f := o.failure
	if f.GetMessage() != "panic: enough" || f.GetOperator() != "breaks" || f.GetSubtask() != 2 || f.GetDomain() != planpb.FailureDomain_USER || f.GetRetryable() {
		t.Errorf("failure %v", f)
	}
	if f.GetHost() != "here" || f.GetTaskmanagerId() != "tm1" || f.GetTimestampMs() == 0 {
		t.Errorf("the failure does not say where it happened: %v", f)
	}
	if o.totals["seen"] == 0 || o.ends[controlpb.ExecutionState_STATE_FINISHED] != 0 {
		t.Errorf("totals %v, ends %v", o.totals, o.ends)
	}
}

// Cancel ends tasks that wait for input, for credit and in the middle of work; all report that they were canceled.
func TestCancelOverWorkers(t *testing.T) {
	release := make(chan struct{})
	var blocked atomic.Int32
	p := programOf(t, func(env *stream.Env) {
		env.SetParallelism(2)
		fast := stream.Generate(env, "fast", 1<<50, func(i int64) int64 { return i })
		slow := stream.Map(stream.Rebalance(fast), "stands still", func(v int64) int64 {
			blocked.Add(1)
			<-release
			return v
		})
		stream.Discard(stream.Rebalance(slow), "waits")
	})
	w := startWorkers(t, p, 2, nil)
	go func() {
		for blocked.Load() < 2 {
			runtime.Gosched()
		}
		w.cancel()
		close(release)
	}()
	o := w.run()
	if o.failure != nil || o.ends[controlpb.ExecutionState_STATE_CANCELED] != totalTasks(p) {
		t.Errorf("tasks ended %v, expected %d canceled; failure %v", o.ends, totalTasks(p), o.failure)
	}
}

// A deployment that does not fit the program is refused before anything runs.
func TestBadDeployments(t *testing.T) {
	p := programOf(t, func(env *stream.Env) {
		env.SetParallelism(2)
		s := stream.Generate(env, "numbers", 10, func(i int64) int64 { return i })
		stream.Discard(stream.Rebalance(s), "end")
	})
	tests := map[string]func(task *controlpb.TaskDeployment){
		"job id":         func(d *controlpb.TaskDeployment) { d.Id.JobId = "x" },
		"runs job":       func(d *controlpb.TaskDeployment) { d.Id.JobId = strings.Repeat("ab", 16) },
		"vertex id":      func(d *controlpb.TaskDeployment) { d.Id.VertexId = "x" },
		"has no vertex":  func(d *controlpb.TaskDeployment) { d.Id.VertexId = strings.Repeat("ab", 16) },
		"expected 32 he": func(d *controlpb.TaskDeployment) { d.Outputs[0].Consumers[0].VertexId = "" },
	}
	for want, change := range tests {
		w := startWorkers(t, p, 1, nil)
		var source *controlpb.TaskDeployment
		for _, d := range w.tasks[0] {
			if len(d.GetOutputs()) > 0 {
				source = d
			}
		}
		change(source)
		if err := w.deploy(0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one that says %q", err, want)
		}
		if len(w.states) != 0 {
			t.Errorf("%s: a task ran", want)
		}
	}
}
