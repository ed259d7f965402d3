package streamtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weft-project/weft/stream"
)

// Ordered fails the test unless got is want, in this order.
func Ordered[T any](t testing.TB, got []T, want ...T) {
	t.Helper()
	for i := 0; i < len(got) || i < len(want); i++ {
		switch {
		case i >= len(got):
			t.Errorf("record %d of %d is missing: expected %s%s", i+1, len(want), show(want[i]), listing("got", got))
		case i >= len(want):
			t.Errorf("record %d is more than expected: %s%s", i+1, show(got[i]), listing("expected", want))
		default:
			if d, differ := compare(leavesOfValue(want[i]), leavesOfValue(got[i])); differ {
				t.Errorf("record %d is %s, expected %s%s", i+1, show(got[i]), show(want[i]), d.suffix())
				return
			}
			continue
		}
		return
	}
}

// suffix names the field, where there are fields.
func (d difference) suffix() string {
	if d.path == "" {
		return ""
	}
	return fmt.Sprintf(" (%s: expected %s, got %s)", d.path, short(d.before), short(d.after))
}

// Unordered fails the test unless got and want are the same records, in any order, each as often.
func Unordered[T any](t testing.TB, got []T, want ...T) {
	t.Helper()
	if text := multiset(got, want); text != "" {
		t.Errorf("%d records, expected %d:%s", len(got), len(want), text)
	}
}

// shown is how many records a message lists.
const shown = 10

// multiset says which records are missing and which are too many.
func multiset[T any](got, want []T) string {
	left := map[string]int{}
	for _, v := range want {
		left[identity(leavesOfValue(v))]++
	}
	var more, missing []string
	for _, v := range got {
		id := identity(leavesOfValue(v))
		if left[id]--; left[id] < 0 {
			more = append(more, show(v))
		}
	}
	for _, v := range want {
		id := identity(leavesOfValue(v))
		if left[id] > 0 {
			left[id]--
			missing = append(missing, show(v))
		}
	}
	return lines("missing", missing) + lines("not expected", more)
}

func lines(what string, all []string) string {
	var b strings.Builder
	for i, s := range all {
		if i == shown {
			fmt.Fprintf(&b, "\n  … and %d more %s", len(all)-shown, what)
			break
		}
		fmt.Fprintf(&b, "\n  %s: %s", what, s)
	}
	return b.String()
}

func listing[T any](what string, vs []T) string {
	var all []string
	for _, v := range vs {
		all = append(all, show(v))
	}
	if len(all) == 0 {
		return fmt.Sprintf("; %s nothing", what)
	}
	return lines(what, all)
}

// OrderedByKey fails the test unless each key has the same records in got and want, in the same order. Between keys any order
// will do, as on a cluster.
func OrderedByKey[K comparable, T any](t testing.TB, got []T, key func(T) K, want ...T) {
	t.Helper()
	gotOf, keys := byKey(nil, got, key)
	wantOf, keys := byKey(keys, want, key)
	for _, k := range keys {
		g, w := gotOf[k], wantOf[k]
		for i := 0; i < len(g) || i < len(w); i++ {
			if i < len(g) && i < len(w) {
				d, differ := compare(leavesOfValue(w[i]), leavesOfValue(g[i]))
				if !differ {
					continue
				}
				t.Errorf("key %v, record %d is %s, expected %s%s", k, i+1, show(g[i]), show(w[i]), d.suffix())
				break
			}
			t.Errorf("key %v: %d records, expected %d%s%s", k, len(g), len(w), listing("got", g), listing("expected", w))
			break
		}
	}
}

// byKey groups records, and adds keys in the order in which they come.
func byKey[K comparable, T any](keys []K, vs []T, key func(T) K) (map[K][]T, []K) {
	known := map[K]bool{}
	for _, k := range keys {
		known[k] = true
	}
	out := map[K][]T{}
	for _, v := range vs {
		k := key(v)
		if !known[k] {
			known[k] = true
			keys = append(keys, k)
		}
		out[k] = append(out[k], v)
	}
	return out, keys
}

// Round is what is expected between two watermarks.
type Round[T any] struct {
	watermark int64
	values    []T
}

// Until is a round: the values that come before the watermark ms does, and after that of the round before. stream.MaxTime
// ends the last one.
func Until[T any](ms int64, values ...T) Round[T] { return Round[T]{ms, values} }

// OrderedByWatermark fails the test unless the records come in the rounds that are given; within a round any order will do. What
// comes after the last round is not expected.
func OrderedByWatermark[T any](t testing.TB, out *Output[T], rounds ...Round[T]) {
	t.Helper()
	records := out.Records()
	for _, r := range rounds {
		var got []T
		for len(records) > 0 && (records[0].Watermark < r.watermark || r.watermark == stream.MaxTime) {
			got = append(got, records[0].Value)
			records = records[1:]
		}
		if text := multiset(got, r.values); text != "" {
			t.Errorf("%q, until watermark %s: %d records, expected %d:%s", out.name, stamp(r.watermark), len(got), len(r.values), text)
		}
	}
	if len(records) > 0 {
		var rest []T
		for _, r := range records {
			rest = append(rest, r.Value)
		}
		t.Errorf("%q: %d records after the last round%s", out.name, len(rest), listing("got", rest))
	}
}

// OnTime fails the test when a record has come behind the watermark: with a timestamp that the watermark before it had passed.
func OnTime[T any](t testing.TB, out *Output[T]) {
	t.Helper()
	for i, r := range out.Records() {
		if r.Time != stream.NoTime && r.Watermark != stream.NoTime && r.Time <= r.Watermark {
			t.Errorf("%q: record %d, %s, has the time %s and came after the watermark %s", out.name, i+1, show(r.Value), stamp(r.Time), stamp(r.Watermark))
			return
		}
	}
}
