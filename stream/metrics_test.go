package stream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/stream"
)

// shown is a running job whose documents can be read.
type shown struct {
	t        *testing.T
	port     int
	done     chan struct{} // closed to end the job
	vertices map[string]string
	job      string
}

// showing runs a job that lasts until its documents have been looked at.
func showing(t *testing.T, build func(env *stream.Env, done chan struct{}), look func(s *shown)) *stream.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	s := &shown{t: t, port: pagePort(t), done: make(chan struct{})}
	env := stream.New()
	env.SetParallelism(1)
	env.Set("security.rest.auth", "none")
	env.Set("rest.port", strconv.Itoa(s.port))
	env.Set("pipeline.auto-watermark-interval", "1 ms")
	build(env, s.done)
	type end struct {
		r   *stream.Result
		err error
	}
	ended := make(chan end, 1)
	go func() {
		r, err := env.Execute(ctx, t.Name())
		ended <- end{r, err}
	}()
	stop := func() {
		select {
		case <-s.done:
		default:
			close(s.done)
		}
	}
	defer stop()
	s.find()
	look(s)
	stop()
	e := <-ended
	if e.err != nil {
		t.Fatal(e.err)
	}
	return e.r
}

// get reads a document; false where there is none yet.
func (s *shown) get(path string, into any) bool {
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, fmt.Sprintf("http://localhost:%d%s", s.port, path), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	if text, isText := into.(*string); isText {
		b, err := io.ReadAll(answer.Body)
		*text = string(b)
		return err == nil && answer.StatusCode == http.StatusOK
	}
	return json.NewDecoder(answer.Body).Decode(into) == nil && answer.StatusCode == http.StatusOK
}

// find learns the job's id and those of its vertices by the names of their first operators.
func (s *shown) find() {
	s.t.Helper()
	await.Until(s.t, "the job is shown", func() bool {
		var jobs struct {
			Jobs []struct{ JID, Name, State string }
		}
		s.get("/jobs/overview", &jobs)
		i := slices.IndexFunc(jobs.Jobs, func(j struct{ JID, Name, State string }) bool { return j.Name == s.t.Name() && j.State == "RUNNING" })
		if i < 0 {
			return false
		}
		s.job = jobs.Jobs[i].JID
		var details struct{ Vertices []struct{ ID, Name string } }
		if !s.get("/jobs/"+s.job, &details) {
			return false
		}
		s.vertices = map[string]string{}
		for _, v := range details.Vertices {
			first, _, _ := strings.Cut(v.Name, " -> ")
			s.vertices[strings.TrimPrefix(strings.TrimPrefix(first, "Source: "), "Sink: ")] = v.ID
		}
		return len(s.vertices) > 0
	})
}

// metrics reads the metrics of a vertex's first subtask.
func (s *shown) metrics(vertex string) map[string]string {
	s.t.Helper()
	if s.vertices[vertex] == "" {
		s.t.Fatalf("no vertex %q in %v", vertex, s.vertices)
	}
	path := "/jobs/" + s.job + "/vertices/" + s.vertices[vertex] + "/subtasks/0/metrics"
	var names, values []struct{ ID, Value string }
	if !s.get(path, &names) || len(names) == 0 {
		return nil
	}
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = n.ID
	}
	out := map[string]string{}
	if s.get(path+"?get="+strings.Join(list, ","), &values) {
		for _, v := range values {
			out[v.ID] = v.Value
		}
	}
	return out
}

func (s *shown) number(vertex, name string) float64 {
	s.t.Helper()
	v, err := strconv.ParseFloat(s.metrics(vertex)[name], 64)
	if err != nil {
		return -1
	}
	return v
}

// What a slow sink does to the tasks before it, and how much an idle source idles, is seen while the job runs.
func TestBusyIdleAndBackpressured(t *testing.T) {
	showing(t, func(env *stream.Env, done chan struct{}) {
		fast := stream.FromSource(env, "fast", endlessSource(done, false))
		stream.ForEach(stream.Rebalance(stream.Map(stream.Rebalance(fast), "between", func(v int64) int64 { return v })), "slow", func(int64) {
			select {
			case <-time.After(2 * time.Millisecond):
			case <-done:
			}
		})
		quiet := stream.FromSource(env, "quiet", endlessSource(done, true))
		stream.Discard(stream.Rebalance(quiet), "nothing")
	}, func(s *shown) {
		level := func(vertex string) (string, float64) {
			var doc struct {
				Status, BackpressureLevel string
				Subtasks                  []struct{ Ratio float64 }
			}
			if !s.get("/jobs/"+s.job+"/vertices/"+s.vertices[vertex]+"/backpressure", &doc) || doc.Status != "ok" {
				return "", -1
			}
			return doc.BackpressureLevel, doc.Subtasks[0].Ratio
		}
		for _, held := range []string{"fast", "between"} {
			await.Until(s.t, held+" is held up", func() bool {
				l, ratio := level(held)
				return l == "high" && ratio > 0.5 && s.number(held, "backPressuredTimeMsPerSecond") > 500 && s.metrics(held)["isBackPressured"] == "true"
			})
			await.Until(s.t, held+" fills its buffers", func() bool { return s.number(held, "buffers.outPoolUsage") > 0.5 })
		}
		await.Until(s.t, "the slow one works", func() bool {
			l, _ := level("slow")
			return l == "ok" && s.number("slow", "busyTimeMsPerSecond") > 700 && s.number("slow", "backPressuredTimeMsPerSecond") == 0
		})
		await.Until(s.t, "its input waits", func() bool {
			return s.number("slow", "buffers.inputQueueLength") > 0 && s.number("slow", "buffers.inPoolUsage") > 0.2
		})
		for _, idle := range []string{"quiet", "nothing"} {
			await.Until(s.t, idle+" idles", func() bool {
				l, _ := level(idle)
				return l == "ok" && s.number(idle, "idleTimeMsPerSecond") > 900 && s.number(idle, "busyTimeMsPerSecond") < 100
			})
		}
		await.Until(s.t, "records are counted", func() bool {
			return s.number("slow", "numRecordsIn") > 100 && s.number("slow", "numRecordsInPerSecond") > 10 && s.number("fast", "numRecordsOut") > s.number("slow", "numRecordsIn")
		})
		var sums []struct {
			ID       string
			Sum, Max *float64
		}
		path := "/jobs/" + s.job + "/vertices/" + s.vertices["slow"] + "/subtasks/metrics?get=busyTimeMsPerSecond&agg=max,sum"
		await.Until(s.t, "metrics are added up", func() bool {
			return s.get(path, &sums) && len(sums) == 1 && sums[0].Sum != nil && sums[0].Max != nil && *sums[0].Sum > 700
		})
	})
}

// Event time and its lag, of tasks and operators.
func TestWatermarksAreShown(t *testing.T) {
	began := time.Now().UnixMilli()
	showing(t, func(env *stream.Env, done chan struct{}) {
		// One hour late, and then in order.
		clock := stream.FromTimedSource(env, "clock", endlessSource(done, false), stream.Monotonous(func(v *int64) int64 { return began - 3600_000 + min(*v, 1000) }))
		stream.Discard(stream.Map(stream.Rebalance(clock), "task: one", func(v int64) int64 { return v }, stream.UID("one")), "end")
	}, func(s *shown) {
		mark := fmt.Sprint(began - 3600_000 + 1000 - 1)
		await.Until(s.t, "the task has the watermark", func() bool {
			m := s.metrics("task: one")
			return m["currentInputWatermark"] == mark && m["task__one.currentInputWatermark"] == mark && m["task__one.currentOutputWatermark"] == mark && m["end.currentInputWatermark"] == mark
		})
		var marks []struct{ ID, Value string }
		if !s.get("/jobs/"+s.job+"/vertices/"+s.vertices["task: one"]+"/watermarks", &marks) || len(marks) != 1 || marks[0].ID != "0.currentInputWatermark" || marks[0].Value != mark {
			t.Errorf("watermarks: %v", marks)
		}
		await.Until(s.t, "the source tells its lag", func() bool {
			m := s.metrics("clock")
			lag, err := strconv.ParseInt(m["clock.watermarkLag"], 10, 64)
			emit, err2 := strconv.ParseInt(m["clock.currentEmitEventTimeLag"], 10, 64)
			_, has := m["currentInputWatermark"]
			return err == nil && err2 == nil && lag > 3590_000 && emit > 3590_000 && m["clock.currentOutputWatermark"] == mark && !has
		})
	})
}

// The author's metrics and accumulators are shown while the job runs, under the operator's name.
func TestMetricsOfAuthors(t *testing.T) {
	result := showing(t, func(env *stream.Env, done chan struct{}) {
		in := stream.FromSource(env, "numbers", endlessSource(done, false))
		stream.Discard(stream.MapWith(in, "my op: 1", func(c *stream.Context) func(int64) int64 {
			g := c.Metrics()
			all, odd := g.Meter("seen"), g.Group("by kind").Counter("odd")
			sizes := g.Group("by kind").Histogram("size")
			var last int64
			g.Gauge("last", func() float64 { return float64(last) })
			g.Gauge("broken", func() float64 { panic("not my day") })
			records := c.Counter("records")
			return func(v int64) int64 {
				last = v
				all.Mark()
				records.Add(1)
				sizes.Update(v % 100)
				if v%2 == 1 {
					odd.Inc()
				}
				return v
			}
		}), "end")
	}, func(s *shown) {
		const op = "my_op__1."
		await.Until(s.t, "they are shown", func() bool {
			m := s.metrics("numbers")
			n := func(name string) float64 {
				v, err := strconv.ParseFloat(m[op+name], 64)
				if err != nil {
					return -1
				}
				return v
			}
			return n("by_kind.odd") > 0 && n("seen") > 0 && n("last") > 0 && n("by_kind.size_count") > 0 && n("by_kind.size_max") == 99 && n("by_kind.size_min") == 0 && n("seen_count") > 0
		})
		if v, has := s.metrics("numbers")[op+"broken"]; has {
			t.Errorf("a gauge that panics has the value %q", v)
		}
		var accumulators struct {
			User []struct{ Name, Type, Value string } `json:"user-task-accumulators"`
		}
		await.Until(s.t, "the accumulator is shown while the job runs", func() bool {
			return s.get("/jobs/"+s.job+"/accumulators", &accumulators) && len(accumulators.User) == 1 && accumulators.User[0].Name == "records" && accumulators.User[0].Value != "0"
		})
		var text string
		await.Until(s.t, "a scrape sees them", func() bool {
			return s.get("/metrics", &text) && strings.Contains(text, `operator_name="my op: 1"} `) && strings.Contains(text, "\nweft_taskmanager_job_task_operator_by_kind_odd{host=")
		})
	})
	if result.Counter("records") == 0 {
		t.Error("the job's result has no accumulator")
	}
}

// Mistakes in the names of metrics fail the job and name them.
func TestMetricsMistakes(t *testing.T) {
	env := stream.New()
	stream.Discard(stream.MapWith(stream.FromSlice(env, "one", []int{1}), "twice", func(c *stream.Context) func(int) int {
		c.Metrics().Counter("x")
		c.Metrics().Meter("x")
		return func(v int) int { return v }
	}), "end")
	if _, err := env.Execute(t.Context(), "mistakes"); err == nil || !strings.Contains(err.Error(), `"twice"`) || !strings.Contains(err.Error(), `metric "x" is a counter already`) {
		t.Error(err)
	}
}
