package align

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/weft-project/weft/checkpoint"
)

func ref(id int64) checkpoint.Ref { return checkpoint.Ref{Epoch: 1, ID: id} }
func bar(id int64) checkpoint.Barrier {
	return checkpoint.Barrier{Ref: ref(id)}
}

func took(t *testing.T, s Step, id int64) {
	t.Helper()
	if s.Snapshot == nil || s.Snapshot.ID != id {
		t.Fatalf("%+v: expected the snapshot of %d", s, id)
	}
}

func nothing(t *testing.T, s Step) {
	t.Helper()
	if s.Snapshot != nil || len(s.Passed) > 0 {
		t.Fatalf("%+v: expected nothing", s)
	}
}

func TestExactlyOnceHoldsChannelsBack(t *testing.T) {
	a := New(3, checkpoint.ExactlyOnce)
	nothing(t, a.Barrier(1, bar(1)))
	nothing(t, a.Barrier(0, bar(1)))
	if !a.Blocked(0) || !a.Blocked(1) || a.Blocked(2) || !a.Aligning() {
		t.Fatal("the channels whose barrier has come are held back, and no other")
	}
	s := a.Barrier(2, bar(1))
	took(t, s, 1)
	if !s.Unblocked || a.Blocked(0) || a.Blocked(1) || a.Blocked(2) {
		t.Fatal("after the snapshot all go on")
	}
	nothing(t, a.Barrier(0, bar(1))) // A2
}

func TestANewerBarrierPassesAnOlderOne(t *testing.T) {
	a := New(2, checkpoint.ExactlyOnce)
	nothing(t, a.Barrier(0, bar(1)))
	s := a.Barrier(1, bar(2))
	if !reflect.DeepEqual(s.Passed, []checkpoint.Ref{ref(1)}) || s.Snapshot != nil || !s.Unblocked || a.Blocked(0) || !a.Blocked(1) {
		t.Fatalf("%+v: 1 cannot complete: channel 1 is past it", s)
	}
	nothing(t, a.Barrier(1, bar(1)))
	took(t, a.Barrier(0, bar(2)), 2)
}

func TestEndsCountAsBarriers(t *testing.T) {
	a := New(2, checkpoint.ExactlyOnce)
	nothing(t, a.Barrier(0, bar(1)))
	took(t, a.End(1), 1)
	took(t, a.Barrier(0, bar(2)), 2)
	nothing(t, a.Trigger(bar(3))) // the end is still to come
	took(t, a.End(0), 3)
	took(t, a.Trigger(bar(4)), 4)
	nothing(t, a.Trigger(bar(3)))
}

// The barrier comes, then the end of the same channel.
func TestAChannelThatEndsAfterItsBarrier(t *testing.T) {
	a := New(2, checkpoint.ExactlyOnce)
	nothing(t, a.Barrier(0, bar(1)))
	nothing(t, a.End(0))
	took(t, a.Barrier(1, bar(1)), 1)
}

func TestCancelledCheckpointsBlockNothing(t *testing.T) {
	a := New(2, checkpoint.ExactlyOnce)
	nothing(t, a.Barrier(0, bar(1)))
	if s := a.Cancel(ref(1)); !s.Unblocked || a.Blocked(0) {
		t.Fatalf("%+v", s)
	}
	nothing(t, a.Barrier(1, bar(1)))
	if a.Blocked(1) {
		t.Fatal("a late barrier of what was given up blocks its channel") // A3
	}
	a.Cancel(ref(2)) // before any of its barriers
	nothing(t, a.Barrier(0, bar(2)))
	nothing(t, a.Barrier(0, bar(3)))
	took(t, a.Barrier(1, bar(3)), 3)
}

// Numbers may come again under the next leader.
func TestEpochsOrderRefs(t *testing.T) {
	a := New(2, checkpoint.ExactlyOnce)
	nothing(t, a.Barrier(0, bar(7)))
	next := checkpoint.Barrier{Ref: checkpoint.Ref{Epoch: 2, ID: 7}}
	if s := a.Barrier(1, next); len(s.Passed) != 1 || s.Snapshot != nil {
		t.Fatalf("%+v: a barrier of another epoch is of another checkpoint", s)
	}
	s := a.Barrier(0, next)
	if s.Snapshot == nil || s.Snapshot.Epoch != 2 {
		t.Fatalf("%+v", s)
	}
	nothing(t, a.Barrier(0, bar(8)))
}

func TestAbandon(t *testing.T) {
	a := New(2, checkpoint.ExactlyOnce)
	nothing(t, a.Barrier(0, bar(5)))
	if s := a.Abandon(ref(7)); !s.Unblocked || a.Blocked(0) || len(s.Passed) != 1 {
		t.Fatalf("%+v", s)
	}
	nothing(t, a.Barrier(1, bar(6)))
	nothing(t, a.Barrier(1, bar(7)))
	took(t, a.Barrier(0, bar(7)), 7)
}

func TestAtLeastOnceHoldsNothingBack(t *testing.T) {
	a := New(2, checkpoint.AtLeastOnce)
	nothing(t, a.Barrier(0, bar(1)))
	nothing(t, a.Barrier(0, bar(2)))
	if a.Blocked(0) {
		t.Fatal("blocked")
	}
	took(t, a.Barrier(1, bar(1)), 1)
	took(t, a.Barrier(1, bar(2)), 2)
	nothing(t, a.Barrier(1, bar(3)))
	nothing(t, a.Barrier(1, bar(4)))
	if s := a.Barrier(0, bar(4)); s.Snapshot == nil || s.Snapshot.ID != 4 || len(s.Passed) != 1 {
		t.Fatalf("%+v", s)
	}
}

// A1, A2 and A3 over random inputs: barriers come in order on each channel, some are given up, channels end.
func TestRandomInputs(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 1 + r.IntN(4)
		a := New(n, checkpoint.ExactlyOnce)
		at := make([]int64, n) // the last barrier that came
		ended := make([]bool, n)
		var last int64
		for range 200 {
			ch := r.IntN(n)
			var s Step
			switch {
			case r.IntN(30) == 0:
				s = a.Cancel(ref(last + 1 + int64(r.IntN(3))))
			case ended[ch] || a.Blocked(ch):
				continue
			case r.IntN(60) == 0:
				ended[ch] = true
				s = a.End(ch)
			default:
				at[ch] += 1 + int64(r.IntN(2)*r.IntN(2))
				s = a.Barrier(ch, bar(at[ch]))
			}
			if s.Snapshot == nil {
				continue
			}
			if s.Snapshot.ID <= last {
				t.Fatalf("seed %d: %d after %d", seed, s.Snapshot.ID, last)
			}
			last = s.Snapshot.ID
			for c := range n {
				if !ended[c] && at[c] != last {
					t.Fatalf("seed %d: snapshot %d while channel %d is at %d", seed, last, c, at[c])
				}
			}
		}
	}
}
