package operator

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weft-project/weft/codec"
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
