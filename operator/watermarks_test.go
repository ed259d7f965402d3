package operator

import (
	"fmt"
	"slices"
	"testing"

	"github.com/weft-project/weft/eventtime"
)

// follower notes what comes to it.
type follower struct {
	Base
	c    *Context
	seen []string
}

func (f *follower) Advance(wm int64) bool {
	f.seen = append(f.seen, fmt.Sprint("watermark ", wm))
	return true
}

func (f *follower) Idle(idle bool) bool {
	f.seen = append(f.seen, fmt.Sprint("idle ", idle))
	return true
}

func (f *follower) node(name string) *Node {
	return &Node{Name: name, Factory: func(c *Context, _ int, _ any) (Instance, error) {
		f.c = c
		return Instance{f, []any{Emit[int64](func(v *int64) { f.seen = append(f.seen, fmt.Sprintf("%d at %d", *v, c.Time)) })}}, nil
	}}
}

func (f *follower) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(f.seen, want) {
		t.Errorf("came %q, expected %q", f.seen, want)
	}
	f.seen = nil
}

// assigned is a chain of one strategy and what follows it, on a test clock.
func assigned(t *testing.T, s Strategy[int64], batch bool) (in Emit[int64], chain *Chain, f *follower, clock *TestClock) {
	t.Helper()
	f, clock = &follower{}, &TestClock{}
	assign := &Node{Name: "timestamps", Out: typeFor[int64](t), Factory: AssignFactory(s), Chained: []ChainedNode{{Node: f.node("end")}}}
	c := &Context{Ctx: t.Context(), Parallelism: 1, MaxParallelism: 128, Op: -1, Clock: clock, Post: func(f func()) { f() }, WatermarkInterval: 200, Batch: batch}
	chain, err := (&Vertex{Root: assign}).Link(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := chain.Open(); err != nil {
		t.Fatal(err)
	}
	emit := chain.Inputs[0].(Emit[int64])
	return func(v *int64) { emit(v) }, chain, f, clock
}

func give(in Emit[int64], values ...int64) {
	for _, v := range values {
		in(&v)
	}
}

func itself(v *int64) int64 { return *v }

func TestWatermarksAreSaidOnceAnInterval(t *testing.T) {
	in, chain, f, clock := assigned(t, Strategy[int64]{Timestamp: itself, Delay: 10}, false)
	give(in, 100, 95, 120)
	f.expect(t, "100 at 100", "95 at 95", "120 at 120")
	clock.Set(200)
	f.expect(t, "watermark 109")
	clock.Set(1000)
	f.expect(t) // nothing new came
	give(in, 50)
	clock.Set(1200)
	f.expect(t, "50 at 50") // the watermark does not go back
	chain.Watermark(500)
	f.expect(t) // watermarks from before are not handed on
	chain.Watermark(eventtime.Max)
	f.expect(t, fmt.Sprint("watermark ", int64(eventtime.Max)))
}

func TestIdleSubtasksSaySo(t *testing.T) {
	in, chain, f, clock := assigned(t, Strategy[int64]{Timestamp: itself, IdleAfter: 1000}, false)
	clock.Set(200)
	clock.Set(1200)
	f.expect(t, "idle true")
	give(in, 7)
	f.expect(t, "idle false", "7 at 7")
	clock.Set(1400)
	f.expect(t, "watermark 6")
	chain.Idle(true)
	f.expect(t, "idle true")
	if err := chain.Close(nil); err != nil {
		t.Fatal(err)
	}
	clock.Set(100_000)
	f.expect(t) // closed
}

// punctuated says a watermark for each record that is a multiple of 10.
type punctuated struct{}

func (punctuated) OnEvent(v *int64, ts int64, say func(int64)) {
	if *v%10 == 0 {
		say(ts)
	}
}

func (punctuated) OnPeriodic(func(int64)) {}

func TestCustomWatermarksComeAtOnce(t *testing.T) {
	in, _, f, _ := assigned(t, Strategy[int64]{Timestamp: itself, Generator: func() Generator[int64] { return punctuated{} }}, false)
	give(in, 9, 10, 11, 20)
	f.expect(t, "9 at 9", "10 at 10", "watermark 10", "11 at 11", "20 at 20", "watermark 20")
}

func TestBatchHasOneWatermark(t *testing.T) {
	in, chain, f, clock := assigned(t, Strategy[int64]{Timestamp: itself, Generator: func() Generator[int64] { return punctuated{} }}, true)
	give(in, 10)
	clock.Set(1000)
	chain.Watermark(eventtime.Max)
	f.expect(t, "10 at 10", fmt.Sprint("watermark ", int64(eventtime.Max)))
}

func TestTestClockCallsInOrder(t *testing.T) {
	c := &TestClock{}
	var got []string
	note := func(s string) func() { return func() { got = append(got, fmt.Sprint(s, " at ", c.Now())) } }
	c.At(30, note("b"))
	c.At(10, note("a"))
	c.At(20, note("never"))()
	c.At(10, func() { c.At(15, note("nested")) })
	c.Set(100)
	if want := []string{"a at 10", "nested at 15", "b at 30"}; !slices.Equal(got, want) {
		t.Errorf("called %q, expected %q", got, want)
	}
	if c.Set(50); c.Now() != 50 {
		t.Error("a test clock may be set back")
	}
}

func TestMailbox(t *testing.T) {
	m := NewMailbox()
	m.Run()
	done := make(chan struct{})
	for range 4 {
		go func() {
			for range 100 {
				m.Post(func() {})
			}
			done <- struct{}{}
		}()
	}
	n := 0
	m.Post(func() {
		n++
		m.Post(func() { n++ })
	})
	for range 4 {
		<-done
	}
	m.Run()
	if n != 2 {
		t.Errorf("%d letters were read, expected 2", n)
	}
	m.Run()
}
