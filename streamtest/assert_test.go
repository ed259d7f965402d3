package streamtest_test

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

// Each assertion passes what is right, and says of what is wrong where.
func TestAssertions(t *testing.T) {
	a, b, c := order{"ann", 1}, order{"bob", 2}, order{"ann", 3}
	ordered := func(got, want []order) func(testing.TB) {
		return func(t testing.TB) { streamtest.Ordered(t, got, want...) }
	}
	unordered := func(got, want []order) func(testing.TB) {
		return func(t testing.TB) { streamtest.Unordered(t, got, want...) }
	}
	byKey := func(got, want []order) func(testing.TB) {
		return func(t testing.TB) { streamtest.OrderedByKey(t, got, customer, want...) }
	}
	pointers := func(n int) func(testing.TB) {
		return func(t testing.TB) {
			streamtest.Unordered(t, []basket{{Gift: &item{"tea", 1}}}, basket{Gift: &item{"tea", n}})
		}
	}
	for name, tt := range map[string]struct {
		assert func(t testing.TB)
		want   string // "" for nothing
	}{
		"ordered":                  {ordered([]order{a, b}, []order{a, b}), ""},
		"ordered, another":         {ordered([]order{a, b}, []order{a, c}), "record 2 is {Customer:bob Cents:2}, expected {Customer:ann Cents:3} (Customer: expected \"ann\", got \"bob\")"},
		"ordered, too few":         {ordered([]order{a}, []order{a, b}), "record 2 of 2 is missing: expected {Customer:bob Cents:2}"},
		"ordered, too many":        {ordered([]order{a, b}, []order{a}), "record 2 is more than expected: {Customer:bob Cents:2}"},
		"unordered":                {unordered([]order{b, a, a}, []order{a, b, a}), ""},
		"unordered, one missing":   {unordered([]order{a, b}, []order{a, a, b}), "2 records, expected 3:\n  missing: {Customer:ann Cents:1}"},
		"unordered, one too many":  {unordered([]order{a, b, b}, []order{a, b}), "not expected: {Customer:bob Cents:2}"},
		"unordered, pointers":      {pointers(1), ""},
		"unordered, behind one":    {pointers(2), "Gift.N:2"},
		"by key":                   {byKey([]order{b, a, c}, []order{a, c, b}), ""},
		"by key, another order":    {byKey([]order{b, c, a}, []order{a, c, b}), "key ann, record 1 is {Customer:ann Cents:3}, expected {Customer:ann Cents:1}"},
		"by key, one missing":      {byKey([]order{a, b}, []order{a, c, b}), "key ann: 1 records, expected 2"},
		"by key, a key too many":   {byKey([]order{a, b}, []order{a}), "key bob: 1 records, expected 0"},
		"by key, a key is missing": {byKey([]order{a}, []order{a, b}), "key bob: 0 records, expected 1"},
	} {
		got := streamtest.Failing(t, tt.assert)
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: said %q, expected %q", name, got, tt.want)
		}
	}
}

func TestAssertionsOfTime(t *testing.T) {
	h := streamtest.NewHarness(t)
	in := streamtest.NewInput[order](h, "orders")
	out := streamtest.Collect(in.Stream(), "out")
	h.Open()
	a, b, late := order{"ann", 1}, order{"bob", 2}, order{"late", 3}
	in.At(10, a)
	in.At(5, b)
	in.Watermark(10)
	in.At(20, a)
	streamtest.OnTime(t, out)
	streamtest.OrderedByWatermark(t, out, streamtest.Until(10, b, a), streamtest.Until(stream.MaxTime, a))
	for want, rounds := range map[string][]streamtest.Round[order]{
		`"out", until watermark 10 (1970-01-01T00:00:00.01Z): 2 records, expected 1:` + "\n  not expected: {Customer:bob Cents:2}": {
			streamtest.Until(10, a), streamtest.Until(stream.MaxTime, a)},
		"until watermark the end: 1 records, expected 2": {streamtest.Until(10, b, a), streamtest.Until(stream.MaxTime, a, a)},
		"1 records after the last round":                 {streamtest.Until(10, b, a)},
	} {
		if got := streamtest.Failing(t, func(t testing.TB) { streamtest.OrderedByWatermark(t, out, rounds...) }); !strings.Contains(got, want) {
			t.Errorf("said %q, expected %q", got, want)
		}
	}
	in.At(10, late)
	if got := streamtest.Failing(t, func(t testing.TB) { streamtest.OnTime(t, out) }); !strings.Contains(got, "{Customer:late Cents:3}, has the time 10 (") {
		t.Errorf("OnTime said %q", got)
	}
}
