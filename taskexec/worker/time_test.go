package worker_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/taskexec/worker"
)

type stamped struct {
	N    int64
	Text string
}

// Timestamps travel with their records between tasks, in this process and over TCP, whatever the buffers hold.
func TestTimestampsTravel(t *testing.T) {
	var mu sync.Mutex
	var wrong []string
	n := 0
	build := func(env *stream.Env) {
		env.SetParallelism(2)
		s := stream.Generate(env, "numbers", 20_000, func(i int64) stamped {
			long := ""
			if i%1000 == 7 {
				long = fmt.Sprintf("%0*d", int(i*5), i)
			}
			return stamped{i, long}
		})
		s = stream.AssignTimestamps(s, "time", stream.Monotonous(func(v *stamped) int64 { return v.N*3 - 100 }))
		s = stream.Map(stream.Rebalance(s), "elsewhere", func(v stamped) stamped { return v })
		kept := stream.AssignTimestamps(stream.Rebalance(s), "again", stream.CustomWatermarks[stamped](nil, func() stream.WatermarkGenerator[stamped] {
			return checkTimes(func(v *stamped, ts int64) {
				mu.Lock()
				defer mu.Unlock()
				if n++; ts != v.N*3-100 {
					wrong = append(wrong, fmt.Sprint(v.N, " at ", ts))
				}
			})
		}))
		stream.Discard(kept, "end")
	}
	p := programOf(t, build)
	timed := 0
	for _, e := range p.Graph.Edges {
		if e.Timed {
			timed++
		}
	}
	if timed != 2 {
		t.Errorf("%d edges carry timestamps, expected 2", timed)
	}
	r, err := worker.RunLocal(t.Context(), p, localFiles(), logTo(t))
	if err != nil || r.GetStatus() != planpb.JobStatus_FINISHED {
		t.Fatal(r, err)
	}
	w := startQuietWorkers(t, p)
	w.run().finished(t, totalTasks(p))
	if n != 40_000 || len(wrong) > 0 {
		t.Errorf("%d records, expected 40000; wrong: %.200q", n, wrong)
	}
}

type checkTimes func(v *stamped, ts int64)

func (f checkTimes) OnEvent(v *stamped, ts int64, _ func(int64)) { f(v, ts) }
func (checkTimes) OnPeriodic(func(int64))                        {}

// Without a reader of timestamps they stay where they are.
func TestTimestampsThatNobodyReadsDoNotTravel(t *testing.T) {
	p := programOf(t, func(env *stream.Env) {
		s := stream.Generate(env, "numbers", 10, func(i int64) int64 { return i })
		s = stream.AssignTimestamps(s, "time", stream.Monotonous(func(v *int64) int64 { return *v }))
		stream.Discard(stream.Map(stream.Rebalance(s), "map", func(v int64) int64 { return v }), "end")
	})
	for _, e := range p.Graph.Edges {
		if e.Timed {
			t.Errorf("edge %d carries timestamps", e.Index)
		}
	}
}
