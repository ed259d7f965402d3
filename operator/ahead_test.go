package operator

import (
	"fmt"
	"slices"
	"testing"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/state"
)

// readWith gives what a reader emits of an item, with the times, with and without a look ahead.
func readWith[T comparable](t *testing.T, item network.Item, timed, ahead bool) (vs []T, times []int64, err error) {
	t.Helper()
	at := new(int64)
	var shown []T
	r, err := typeFor[T](t).NewReader(Emit[T](func(v *T) {
		if ahead && !slices.Contains(shown, *v) {
			t.Fatalf("record %v came unannounced", *v)
		}
		vs, times = append(vs, *v), append(times, *at)
	}), at, timed)
	if err != nil {
		t.Fatal(err)
	}
	if ahead {
		if err := r.LookAhead(Ahead[T](func(next []T) {
			if len(next) == 0 || len(next) > state.TouchMost {
				t.Fatalf("%d records were shown", len(next))
			}
			shown = slices.Clone(next)
		})); err != nil {
			t.Fatal(err)
		}
	}
	_, err = r.Process(item)
	return vs, times, err
}

// TestLookAheadChangesNothing: the same records come with the same times, whatever is shown what is next.
func TestLookAheadChangesNothing(t *testing.T) {
	for _, timed := range []bool{false, true} {
		for _, n := range []int{1, state.TouchMost - 1, state.TouchMost, 3*state.TouchMost + 5} {
			t.Run(fmt.Sprintf("%d records, timed %v", n, timed), func(t *testing.T) {
				lookAhead(t, n, timed, func(i int) string { return fmt.Sprint("word ", i) })
				lookAhead(t, n, timed, func(i int) [3]int64 { return [3]int64{int64(i), 7, -1} })
			})
		}
	}
}

func lookAhead[T comparable](t *testing.T, n int, timed bool, value func(i int) T) {
	t.Helper()
	c, err := codec.Of[T]()
	if err != nil {
		t.Fatal(err)
	}
	item, encode := network.Item{Records: n}, c.Encoder()
	batch := &Batch[T]{}
	for i := range n {
		v := value(i)
		if timed {
			item.Data = append(item.Data, 4) // 2 ms after the one before
		}
		item.Data = encode(item.Data, &v)
		batch.vals, batch.times = append(batch.vals, v), append(batch.times, int64(2*i+2))
	}
	for _, item := range []network.Item{item, {Kind: network.Batch, Batch: batch, Records: n}} {
		want, wantTimes, err := readWith[T](t, item, timed, false)
		if err != nil || len(want) != n {
			t.Fatal(len(want), err)
		}
		got, times, err := readWith[T](t, item, timed, true)
		if err != nil || !slices.Equal(got, want) || !slices.Equal(times, wantTimes) {
			t.Errorf("%v at %v, expected %v at %v: %v", got, times, want, wantTimes, err)
		}
	}
	item.Data = item.Data[:len(item.Data)-1]
	if _, _, err := readWith[T](t, item, timed, true); err == nil {
		t.Error("a buffer that is cut short gave no error")
	}
}

func TestLookAheadOfAnotherType(t *testing.T) {
	r, err := typeFor[string](t).NewReader(Emit[string](func(*string) {}), new(int64), false)
	if err != nil {
		t.Fatal(err)
	}
	if r.LookAhead(Ahead[int64](func([]int64) {})) == nil || r.LookAhead(nil) != nil {
		t.Error("expected an error for another type, none for nothing")
	}
}
