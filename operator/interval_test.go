package operator

import (
	"testing"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
)

// An interval join keeps nothing for ever, and allocates nothing for a record of a key that it knows.
func TestIntervalJoinForgets(t *testing.T) {
	key, err := codec.KeyOf[int64]()
	if err != nil {
		t.Fatal(err)
	}
	pairs := 0
	j := &IntervalJoin[int64, fixed, fixed, int64]{Key: key, OfA: func(f fixed) int64 { return f.ID }, OfB: func(f fixed) int64 { return f.ID }, Lower: -5, Upper: 5,
		Open: func(*Process, func(int64)) func(a, b *fixed) { return func(a, b *fixed) { pairs++ } }}
	node := &Node{Name: "join", Out: typeFor[int64](t), Factory: j.Factory()}
	chain, err := (&Vertex{Root: node}).Link(&Context{Ctx: t.Context(), Parallelism: 1, MaxParallelism: 128, Op: -1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := chain.Open(); err != nil {
		t.Fatal(err)
	}
	x := chain.operators[0].op.(*intervalJoin[int64, fixed, fixed, int64])
	ts := int64(0)
	v := &fixed{}
	step := func() {
		ts++
		for side := range 2 {
			for id := range int64(3) {
				v.ID = id + ts/1000
				chain.ctx.Time = ts
				chain.Inputs[side].(Emit[fixed])(v)
			}
		}
		chain.Watermark(ts)
	}
	for range 5000 {
		step()
	}
	if n := x.keys.Len(); n > 10 || pairs == 0 || x.Timers() > 10 {
		t.Errorf("%d keys, %d timers after %d pairs", n, x.Timers(), pairs)
	}
	if n := testing.AllocsPerRun(500, step); n > 1 {
		t.Errorf("%v allocations for six records", n)
	}
	chain.Watermark(eventtime.Max)
	if x.keys.Len() != 0 || x.Timers() != 0 {
		t.Errorf("%d keys, %d timers at the end", x.keys.Len(), x.Timers())
	}
}
