package operator

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/internal/spill"
)

// Long keys do not make a combiner hold more than its bound: what it has goes on, and nothing is lost.
func TestCombinerWithLongKeys(t *testing.T) {
	key, err := codec.KeyOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	typ, err := codec.Of[string]()
	if err != nil {
		t.Fatal(err)
	}
	r := &Reduction[string, string]{Key: key, Of: func(v string) string { return v }, Type: typ,
		Open: func(*Context) func(acc, v *string) { return func(*string, *string) {} }}
	out, seen := 0, map[string]bool{}
	next := Emit[string](func(v *string) { out++; seen[(*v)[:8]] = true })
	inst, err := r.CombineFactory()(&Context{Ctx: t.Context(), Memory: 32 << 20}, 0, next)
	if err != nil {
		t.Fatal(err)
	}
	if err := inst.Operator.Open(); err != nil {
		t.Fatal(err)
	}
	in := inst.Inputs[0].(Emit[string])
	const keys, bound = 64, 4 << 20
	for i := range keys {
		v := fmt.Sprintf("%08d", i) + strings.Repeat("x", 1<<20)
		in(&v)
		if held := (i + 1 - out) << 20; held > bound+2<<20 {
			t.Fatalf("%d MiB of keys are held; the bound is %d MiB", held>>20, bound>>20)
		}
	}
	if err := inst.Operator.(interface{ EndInput() error }).EndInput(); err != nil {
		t.Fatal(err)
	}
	if out != keys || len(seen) != keys {
		t.Errorf("%d records of %d keys came out, expected %d", out, len(seen), keys)
	}
}

// What values hold counts too: keys are numbers here, and each record carries 64 KiB of text.
func TestCombinerWithLongValues(t *testing.T) {
	type record struct {
		Key  int64
		Text string
	}
	key, err := codec.KeyOf[int64]()
	if err != nil {
		t.Fatal(err)
	}
	typ, err := codec.Of[record]()
	if err != nil {
		t.Fatal(err)
	}
	r := &Reduction[int64, record]{Key: key, Of: func(v record) int64 { return v.Key }, Type: typ,
		Open: func(*Context) func(acc, v *record) { return func(acc, v *record) {} }}
	passed := 0
	inst, err := r.CombineFactory()(&Context{Ctx: t.Context(), Memory: 32 << 20}, 0, Emit[record](func(*record) { passed++ }))
	if err != nil {
		t.Fatal(err)
	}
	if err := inst.Operator.Open(); err != nil {
		t.Fatal(err)
	}
	in := inst.Inputs[0].(Emit[record])
	text := strings.Repeat("x", 64<<10)
	for i := range int64(200) { // 12.5 MiB; the combiner may hold 4
		in(&record{i, text})
	}
	if passed < 100 {
		t.Errorf("%d of 200 records were passed on", passed)
	}
}

// What values grow by counts as well: few keys, each of which collects all that comes.
func TestValuesThatGrow(t *testing.T) {
	type list struct {
		Key  int64
		Each []int64
	}
	key, err := codec.KeyOf[int64]()
	if err != nil {
		t.Fatal(err)
	}
	typ, err := codec.Of[list]()
	if err != nil {
		t.Fatal(err)
	}
	r := &Reduction[int64, list]{Key: key, Of: func(v list) int64 { return v.Key }, Type: typ,
		Open: func(*Context) func(acc, v *list) {
			return func(acc, v *list) { acc.Each = append(acc.Each, v.Each...) }
		}}
	const keys, records, budget = 10, 200_000, 400 << 10 // of lists that take some 600 KiB when they are encoded
	space := spill.NewSpace(t.TempDir())
	for name, factory := range map[string]Factory{"reduce": r.ReduceFactory(), "combine": r.CombineFactory()} {
		passed, most, total := 0, 0, 0
		inst, err := factory(&Context{Ctx: t.Context(), Batch: true, Managed: budget, Memory: 4 * budget, Spill: space, MaxParallelism: 128}, 0,
			Emit[list](func(v *list) {
				passed, most, total = passed+1, max(most, len(v.Each)), total+len(v.Each)
			}))
		if err != nil {
			t.Fatal(err)
		}
		if err := inst.Operator.Open(); err != nil {
			t.Fatal(err)
		}
		in := inst.Inputs[0].(Emit[list])
		for i := range int64(records) {
			in(&list{i * 7919 % keys, []int64{i}})
		}
		switch {
		case name == "combine" && (passed < keys || most > records/keys/2):
			t.Errorf("%d lists were passed on before the end, the longest of %d", passed, most)
		case name == "reduce" && (passed > 0 || space.Total() == 0):
			t.Errorf("%d lists came before the end; %d bytes on disk", passed, space.Total())
		}
		inst.Operator.(EventTime).Advance(eventtime.Max)
		if total != records || name == "reduce" && (passed != keys || most != records/keys) {
			t.Errorf("%s: %d numbers in %d lists, the longest of %d", name, total, passed, most)
		}
		if err := inst.Operator.Close(nil); err != nil {
			t.Error(err)
		}
	}
}
