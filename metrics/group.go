package metrics

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weft-project/weft/rpc/controlpb"
)

// Limits of one operator's metrics in one subtask: they travel every second.
const (
	maxMetrics = 1000
	maxName    = 255
)

// Registry holds the metrics of one operator of one subtask.
type Registry struct {
	byName map[string]any
	order  []string
}

// Group is a set of metrics whose names have a common beginning.
type Group struct {
	r      *Registry
	prefix string
}

// Root is the group whose names begin with nothing.
func (r *Registry) Root() Group { return Group{r: r} }

// Group is the group of that name within this one.
func (g Group) Group(name string) Group { return Group{g.r, g.prefix + Clean(name) + "."} }

// errName is about a name that a metric can not have.
var errName = errors.New("expected a name that is not empty")

// get gives the metric of that name; the first call makes it.
func get[M any](g Group, name string, fresh M) (M, error) {
	full := g.prefix + Clean(name)
	if name == "" || len(full) > maxName {
		return fresh, fmt.Errorf("metric %.80q: %w and has at most %d bytes with its groups", full, errName, maxName)
	}
	known, ok := g.r.byName[full]
	if ok {
		m, same := known.(M)
		if !same {
			return fresh, fmt.Errorf("metric %q is a %s already: expected the same kind again, not a %s", full, kindOf(known), kindOf(fresh))
		}
		return m, nil
	}
	if len(g.r.order) == maxMetrics {
		return fresh, fmt.Errorf("metric %q: an operator has at most %d metrics", full, maxMetrics)
	}
	if g.r.byName == nil {
		g.r.byName = map[string]any{}
	}
	g.r.byName[full] = fresh
	g.r.order = append(g.r.order, full)
	return fresh, nil
}

func kindOf(m any) string {
	switch m.(type) {
	case *Counter:
		return "counter"
	case *Meter:
		return "meter"
	case *Histogram:
		return "histogram"
	}
	return "gauge"
}

// Counter gives the counter of that name.
func (g Group) Counter(name string) (*Counter, error) { return get(g, name, &Counter{}) }

// Meter gives the meter of that name.
func (g Group) Meter(name string) (*Meter, error) { return get(g, name, &Meter{}) }

// Histogram gives the histogram of that name.
func (g Group) Histogram(name string) (*Histogram, error) { return get(g, name, &Histogram{}) }

type gauge struct{ read func() float64 }

// Gauge has a value read by the task's goroutine about once a second. Another one of the same name takes its place.
func (g Group) Gauge(name string, read func() float64) error {
	known, err := get(g, name, &gauge{})
	known.read = read
	return err
}

// Snapshot gives all values, in the order in which the metrics were made. A gauge that panics has none, and broken is told of it
// once: it is not asked again.
func (r *Registry) Snapshot(now time.Duration, broken func(name string, why any)) []*controlpb.NamedMetric {
	out := make([]*controlpb.NamedMetric, 0, len(r.order))
	for _, name := range r.order {
		m := &controlpb.NamedMetric{Name: name}
		switch k := r.byName[name].(type) {
		case *Counter:
			m.Kind = &controlpb.NamedMetric_Counter{Counter: k.n}
		case *Meter:
			m.Kind = &controlpb.NamedMetric_Meter{Meter: k.snapshot(now)}
		case *Histogram:
			m.Kind = &controlpb.NamedMetric_Histogram{Histogram: k.snapshot()}
		case *gauge:
			v, ok := k.value(name, broken)
			if !ok {
				continue
			}
			m.Kind = &controlpb.NamedMetric_Gauge{Gauge: v}
		}
		out = append(out, m)
	}
	return out
}

// value asks the author's function.
func (g *gauge) value(name string, broken func(string, any)) (v float64, ok bool) {
	if g.read == nil {
		return 0, false
	}
	defer func() {
		if p := recover(); p != nil {
			g.read, ok = nil, false
			broken(name, p)
		}
	}()
	return g.read(), true
}

// clean are the characters that have a meaning in lists of names, as in Flink.
var clean = strings.NewReplacer(" ", "_", ".", "_", ":", "_", ",", "_")

// Clean is a name as a part of longer ones: of an operator or a group.
func Clean(name string) string { return clean.Replace(name) }
