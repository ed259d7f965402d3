package stream_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weft-project/weft/state"
	"github.com/weft-project/weft/stream"
)

// snapshot writes the state of all operators, by operator and key group.
func (b *bench) snapshot() map[string][]map[string][]byte {
	all := map[string][]map[string][]byte{}
	for id, s := range b.chain.Stateful() {
		for g := range b.c.MaxParallelism {
			parts := map[string][]byte{}
			for _, p := range s.KeyedState() {
				parts[p.Name()] = p.Snapshot(g, nil)
				if frozen := state.Freeze(p, state.Groups{End: b.c.MaxParallelism, Max: b.c.MaxParallelism}).Group(g, nil); !bytes.Equal(frozen, parts[p.Name()]) {
					b.t.Errorf("%s, key group %d: frozen %x, expected %x", p.Name(), g, frozen, parts[p.Name()])
				}
			}
			all[id] = append(all[id], parts)
		}
	}
	return all
}

func (b *bench) restore(all map[string][]map[string][]byte) {
	b.t.Helper()
	for id, s := range b.chain.Stateful() {
		for g, parts := range all[id] {
			for _, p := range s.KeyedState() {
				if err := p.Restore(g, string(parts[p.Name()])); err != nil {
					b.t.Fatal(err)
				}
			}
		}
	}
}

// An operator whose state was written, and read by another one, goes on as if nothing had happened.
func TestOperatorsGoOnFromTheirSnapshots(t *testing.T) {
	type windowed = *stream.Windowed[string, ev]
	window := func(a stream.WindowAssigner, with func(w windowed) windowed) func(t *testing.T) *bench {
		return func(t *testing.T) *bench { return windowBench(t, a, with) }
	}
	kinds := map[string]func(t *testing.T) *bench{
		"tumbling": window(stream.Tumbling(20*ms), nil),
		"sliding":  window(stream.Sliding(30*ms, 10*ms), nil),
		"panes":    window(stream.Sliding(60*ms, 5*ms), nil),
		"sessions": window(stream.Session(4*ms), nil),
		"asked": window(stream.Session(4*ms), func(w windowed) windowed {
			return w.Trigger(stream.OnEventTime())
		}),
		"count":      window(stream.CountWindow(3), nil),
		"continuous": window(stream.Tumbling(50*ms), func(w windowed) windowed { return w.Trigger(stream.EveryEventTime(7 * ms)) }),
		"last":       window(stream.SlidingCountWindow(4, 2), nil),
		"process": func(t *testing.T) *bench {
			return operate(t, "process", func(env *stream.Env, b *bench) {
				in := stream.KeyBy(source[ev](env, "in"), keyOf)
				sums, lists := stream.DeclareValue[int64](in, "sum"), stream.DeclareList[ev](in, "seen")
				maps := stream.DeclareMap[int64, string](in, "by")
				collect(b, stream.KeyedProcess(in, "process", func(k *stream.Keyed[string], emit func(string)) func(ev) {
					sum, seen, by := sums.In(k), lists.In(k), maps.In(k)
					k.OnTimer(func(t stream.Timer) { emit(fmt.Sprint(k.Key(), t.At, *sum.Ref(), seen.Get(), by.Size())) })
					return func(e ev) {
						*sum.Ref() += e.N
						seen.Add(e)
						by.Put(e.N%5, e.Key)
						k.SetTimer(k.Timestamp()/10*10 + 10)
					}
				}), "")
			})
		},
		"join": func(t *testing.T) *bench {
			return operate(t, "join", func(env *stream.Env, b *bench) {
				in := stream.KeyBy(source[ev](env, "a"), keyOf)
				collect(b, stream.IntervalJoin(in, in, -3*ms, 5*ms, "join", func(x, y ev, emit func(string)) { emit(fmt.Sprint(x, y)) }), "")
			})
		},
		"reduce": func(t *testing.T) *bench {
			return operate(t, "sum", func(env *stream.Env, b *bench) {
				s := stream.Sum(stream.KeyBy(source[ev](env, "in"), keyOf), "sum", func(e *ev) *int64 { return &e.N })
				collect(b, s, "")
			})
		},
	}
	for name, make := range kinds {
		for seed := range uint64(8) {
			rnd := rand.New(rand.NewPCG(seed, 9))
			whole, half := make(t), make(t)
			cut, wm := 40+rnd.IntN(40), int64(0)
			for i := range 150 {
				if i == cut {
					next := make(t)
					next.restore(half.snapshot())
					next.out = half.out
					// A restarted job has no watermark until the next one comes.
					next.watermark(wm)
					half = next
				}
				if rnd.IntN(6) == 0 {
					wm += rnd.Int64N(9)
					whole.watermark(wm)
					half.watermark(wm)
					continue
				}
				key, ts := fmt.Sprint("key", rnd.IntN(5)), wm+rnd.Int64N(20)
				for in := range whole.chain.Inputs {
					give(whole, in, ev{key, int64(i)}, ts)
					give(half, in, ev{key, int64(i)}, ts)
				}
			}
			whole.end()
			half.end()
			slices.Sort(whole.out)
			slices.Sort(half.out)
			if len(whole.out) == 0 || !slices.Equal(whole.out, half.out) {
				t.Fatalf("%s, seed %d: %d results %.300q, expected %d: %.300q", name, seed, len(half.out), half.out, len(whole.out), whole.out)
			}
		}
	}
}

// What the snapshot of windows does not hold is refused.
func TestForeignSnapshotsAreRefused(t *testing.T) {
	for _, a := range []stream.WindowAssigner{stream.Tumbling(time.Second), stream.Session(time.Second)} {
		b := windowBench(t, a, nil)
		b.ev("a", 1, 5)
		parts := 0
		for _, s := range b.chain.Stateful() {
			for _, p := range s.KeyedState() {
				parts++
				for _, src := range []string{"", "\x07", "\x01"} {
					if err := p.Restore(0, src); err == nil {
						t.Errorf("part %s took %q", p.Name(), src)
					}
				}
			}
		}
		if parts == 0 {
			t.Error("windows have no state")
		}
	}
}
