package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/stream"
)

// bench runs one operator on a test clock, without tasks: a test gives it records, watermarks and time, one after the other.
type bench struct {
	t     *testing.T
	c     *operator.Context
	chain *operator.Chain
	clock *operator.TestClock
	mail  *operator.Mailbox
	out   []string
}

// ev is the record of these tests.
type ev struct {
	Key string
	N   int64
}

// source is an input that the bench takes the place of.
func source[T any](env *stream.Env, name string) *stream.Stream[T] {
	s := stream.Generate(env, name, 0, func(int64) T { var v T; return v })
	return stream.AssignTimestamps(s, name+": time", stream.Monotonous(func(*T) int64 { return 0 }))
}

// operate builds a graph and links the vertex of the operator with the given name. What build collects by b.collect is
// expected by b.expect.
func operate(t *testing.T, name string, build func(env *stream.Env, b *bench)) *bench {
	t.Helper()
	b := &bench{t: t, clock: &operator.TestClock{}, mail: operator.NewMailbox()}
	env := stream.New()
	build(env, b)
	p, err := stream.Compile(env)
	if err != nil {
		t.Fatal(err)
	}
	b.c = &operator.Context{Ctx: t.Context(), Parallelism: 1, MaxParallelism: 128, Op: -1, Clock: b.clock, Post: b.mail.Post, WatermarkInterval: 200}
	for _, v := range p.Vertices {
		if v.Root.Name == name {
			if b.chain, err = v.Link(b.c, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if b.chain == nil {
		t.Fatalf("no vertex begins with %q", name)
	}
	if err := b.chain.Open(); err != nil {
		t.Fatal(err)
	}
	return b
}

// collect ends a stream in the bench's list; show says how a record is written.
func collect[T any](b *bench, s *stream.Stream[T], prefix string) {
	stream.Discard(stream.Process(s, prefix+" collect", func(c *stream.ProcessContext, emit func(T)) func(T) {
		return func(v T) {
			at := fmt.Sprint(" @", c.Timestamp())
			if c.Timestamp() == stream.NoTime {
				at = ""
			}
			b.out = append(b.out, fmt.Sprint(prefix, v, at))
		}
	}), prefix+" end")
}

// give gives a record to an input.
func give[T any](b *bench, input int, v T, ts int64) {
	b.c.Time = ts
	b.c.Now = max(b.c.Now, b.clock.Now())
	b.chain.Inputs[input].(operator.Emit[T])(&v)
}

func (b *bench) ev(key string, n, ts int64) { give(b, 0, ev{key, n}, ts) }

func (b *bench) watermark(wm int64) {
	b.c.Time = stream.NoTime
	b.chain.Watermark(wm)
}

func (b *bench) time(now int64) {
	b.clock.Set(now)
	b.mail.Run()
	b.c.Now = max(b.c.Now, now)
}

func (b *bench) end() {
	b.watermark(stream.MaxTime)
	if err := b.chain.EndInput(); err != nil {
		b.t.Fatal(err)
	}
}

// expect compares what came out since the last call.
func (b *bench) expect(want ...string) {
	b.t.Helper()
	if !slices.Equal(b.out, want) {
		b.t.Errorf("came out:\n  %s\nexpected:\n  %s", strings.Join(b.out, "\n  "), strings.Join(want, "\n  "))
	}
	b.out = nil
}
