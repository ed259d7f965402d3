package operator

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/internal/spill"
)

type tally struct {
	Key string
	N   int64
}

func reductionOf(t *testing.T) *Reduction[string, tally] {
	t.Helper()
	key, err := codec.KeyOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	typ, err := codec.Of[tally]()
	if err != nil {
		t.Fatal(err)
	}
	return &Reduction[string, tally]{Key: key, Of: func(v tally) string { return v.Key }, Type: typ,
		Open: func(*Context) func(acc, v *tally) { return func(acc, v *tally) { acc.N += v.N } }}
}

// reduceAll runs a BATCH reduce of n records of 5000 keys, and gives the results by key and the first error.
func reduceAll(t *testing.T, space *spill.Space, managed int64, n int) (got map[string]int64, err error) {
	t.Helper()
	got = map[string]int64{}
	c := &Context{Ctx: t.Context(), Batch: true, Managed: managed, Spill: space, MaxParallelism: 128, Time: eventtime.None}
	inst, err := reductionOf(t).ReduceFactory()(c, 0, Emit[tally](func(v *tally) {
		if _, twice := got[v.Key]; twice {
			t.Errorf("key %s comes twice", v.Key)
		}
		got[v.Key] = v.N
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		err = recovered(recover(), err)
		if closing := inst.Operator.Close(err); closing != nil {
			t.Error(closing)
		}
	}()
	if err := inst.Operator.Open(); err != nil {
		t.Fatal(err)
	}
	in := inst.Inputs[0].(Emit[tally])
	for i := range n {
		in(&tally{fmt.Sprint("a key of some length ", i*7%5000), int64(i)})
	}
	inst.Operator.(EventTime).Advance(eventtime.Max)
	return got, nil
}

func TestReduceSpills(t *testing.T) {
	want, err := reduceAll(t, spill.NewSpace(t.TempDir()), 1<<30, 40_000)
	if err != nil || len(want) != 5000 {
		t.Fatalf("%d keys, %v", len(want), err)
	}
	space := spill.NewSpace(t.TempDir())
	got, err := reduceAll(t, space, 200<<10, 40_000)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d keys, %v", len(got), err)
	}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("key %s: %d, expected %d", k, got[k], n)
		}
	}
	if space.Total() == 0 || space.Used() != 0 {
		t.Errorf("%d bytes were written, %d stay", space.Total(), space.Used())
	}
}

func TestReduceOnAFullDisk(t *testing.T) {
	_, err := reduceAll(t, spill.Device("/dev/full"), 0, 40_000)
	var f *Failure
	if !errors.As(err, &f) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
}
