package metrics

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/rpc/controlpb"
)

func TestHistoryLooksBackOneMinute(t *testing.T) {
	var h History[int64]
	// 10 a second for two minutes, then 100.
	total := int64(0)
	at := time.Duration(0)
	step := func(each int64) float64 {
		at += time.Second
		total += each
		h.Note(at, total)
		before, ago := h.Oldest(at)
		if ago > Span+Interval || ago < min(at, Span-Interval) {
			t.Fatalf("after %s it looks %s back", at, ago)
		}
		return PerSecond(total-before, ago)
	}
	for range 120 {
		if rate := step(10); rate != 10 {
			t.Fatalf("after %s: %v in a second, expected 10", at, rate)
		}
	}
	mixed := 0.0
	for range 65 {
		if next := step(100); next < mixed {
			t.Fatalf("the rate falls from %v to %v", mixed, next)
		} else {
			mixed = next
		}
	}
	if mixed != 100 {
		t.Errorf("%v in a second after a minute of 100", mixed)
	}
	if PerSecond(5, 0) != 0 {
		t.Error("a rate over no time")
	}
}

func TestRegistry(t *testing.T) {
	var r Registry
	g := r.Root()
	c, err := g.Counter("bad records")
	if err != nil {
		t.Fatal(err)
	}
	c.Inc()
	c.Add(5)
	c.Dec()
	inner := g.Group("my.group").Group("x")
	m, err := inner.Meter("events")
	if err != nil {
		t.Fatal(err)
	}
	m.Mark()
	m.MarkN(9)
	h, err := inner.Histogram("size")
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(100) {
		h.Update(i + 1)
	}
	value, asked := 0.5, 0
	if err := g.Gauge("ratio", func() float64 { asked++; return value }); err != nil {
		t.Fatal(err)
	}
	if err := g.Gauge("broken", func() float64 { var none []float64; return none[asked] }); err != nil {
		t.Fatal(err)
	}
	var complaints []string
	broken := func(name string, why any) { complaints = append(complaints, fmt.Sprint(name, ": ", why)) }
	var lines []string
	for _, v := range append(r.Snapshot(2*time.Second, broken), r.Snapshot(3*time.Second, broken)...) {
		lines = append(lines, v.GetName()+" "+kind(v))
	}
	once := []string{"bad_records counter 5", "my_group.x.events meter 10 5.00", "my_group.x.size histogram 100 1 100 50.5 29.0 50.5 99.99", "ratio gauge 0.5"}
	want := append(append([]string{}, once...), once...)
	want[5] = "my_group.x.events meter 10 3.33"
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nexpected\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if len(complaints) != 1 || !strings.HasPrefix(complaints[0], "broken: runtime error: index out of range") {
		t.Errorf("%q", complaints)
	}
	if again, err := g.Counter("bad_records"); again != c || err != nil {
		t.Errorf("the same name gave another counter: %v", err)
	}
	if _, err := g.Meter("bad records"); err == nil || err.Error() != `metric "bad_records" is a counter already: expected the same kind again, not a meter` {
		t.Error(err)
	}
	if _, err := g.Counter(""); !errors.Is(err, errName) {
		t.Error(err)
	}
}

func kind(m *controlpb.NamedMetric) string {
	switch k := m.GetKind().(type) {
	case *controlpb.NamedMetric_Counter:
		return fmt.Sprint("counter ", k.Counter)
	case *controlpb.NamedMetric_Gauge:
		return fmt.Sprint("gauge ", k.Gauge)
	case *controlpb.NamedMetric_Meter:
		return fmt.Sprintf("meter %d %.2f", k.Meter.GetCount(), k.Meter.GetRate())
	case *controlpb.NamedMetric_Histogram:
		h := k.Histogram
		return fmt.Sprintf("histogram %d %d %d %v %.1f %v %v", h.GetCount(), h.GetMin(), h.GetMax(), h.GetMean(), h.GetStddev(), h.GetQuantiles()[0], h.GetQuantiles()[5])
	}
	return "?"
}

func TestHistogramLooksAtTheLastValues(t *testing.T) {
	var h Histogram
	for i := range int64(3 * window) {
		h.Update(i)
	}
	s := h.snapshot()
	if s.GetCount() != 3*window || s.GetMin() != 2*window || s.GetMax() != 3*window-1 {
		t.Errorf("%v", s)
	}
	if s := (&Histogram{}).snapshot(); s.GetCount() != 0 || len(s.GetQuantiles()) != len(Quantiles) {
		t.Errorf("%v", s)
	}
}

func TestTooManyMetrics(t *testing.T) {
	var r Registry
	for i := range maxMetrics {
		if _, err := r.Root().Counter(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Root().Counter("one more"); err == nil {
		t.Error("one more was taken")
	}
}
