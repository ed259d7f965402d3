package yarnrpc

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var small = Request{Resource: Resource{MemoryMB: 128, VCores: 1}, Priority: 1}

func box(request RequestID, number int64) Container {
	return Container{ID: ContainerID{Number: number}, Request: request, Resource: small.Resource, Priority: small.Priority}
}

func TestAsksCountExactly(t *testing.T) {
	a := NewAsks()
	id := a.Add(small, 3)
	if h := a.Next(); len(h.Asks) != 1 || h.Asks[0] != (Ask{ID: id, Request: small, Count: 3}) {
		t.Fatalf("%+v", h)
	}
	if wanted, excess := a.Answered(nil); len(wanted)+len(excess) != 0 || a.Outstanding() != 3 {
		t.Fatal("an empty answer changes something")
	}
	if h := a.Next(); len(h.Asks) != 0 {
		t.Errorf("said again without need: %+v", h)
	}
	wanted, excess := a.Answered([]Container{box(id, 1), box(id, 2), box(id, 3), box(id, 4)})
	if len(wanted) != 3 || len(excess) != 1 || excess[0].ID.Number != 4 || a.Outstanding() != 0 {
		t.Errorf("wanted %v excess %v", wanted, excess)
	}
	if h := a.Next(); len(h.Release) != 1 || h.Release[0].Number != 4 {
		t.Errorf("excess is not released: %+v", h)
	}
	// A late one for a request long satisfied is given back, too.
	if _, excess := a.Answered([]Container{box(id, 5)}); len(excess) != 1 {
		t.Error("late container is taken")
	}
}

func TestAsksRepeatUnanswered(t *testing.T) {
	a := NewAsks()
	a.Add(small, 1)
	first := a.Next()
	a.Add(small, 2)
	if again := a.Next(); len(again.Asks) != 1 || again.Asks[0] != first.Asks[0] {
		t.Errorf("A2: %+v", again)
	}
	a.Answered(nil)
	if h := a.Next(); len(h.Asks) != 1 || h.Asks[0].Count != 2 {
		t.Errorf("the second request is lost: %+v", h)
	}
}

func TestAsksSayAgainAfterARace(t *testing.T) {
	a := NewAsks()
	id := a.Add(small, 5)
	a.Next()
	a.Answered(nil)
	a.Cancel(id, 1)
	if h := a.Next(); h.Asks[0].Count != 4 {
		t.Fatalf("%+v", h)
	}
	// The scheduler had allocated 2 before it read the 4: it believes that 4 more are wanted.
	a.Answered([]Container{box(id, 1), box(id, 2)})
	if h := a.Next(); len(h.Asks) != 1 || h.Asks[0].Count != 2 {
		t.Errorf("A3: %+v", h)
	}
}

func TestAsksResync(t *testing.T) {
	a := NewAsks()
	id := a.Add(small, 2)
	a.Release(ContainerID{Number: 9})
	a.Release(ContainerID{Number: 8})
	a.Blacklist([]string{"h1", "h2"}, nil)
	a.Next()
	a.Answered([]Container{box(id, 1)})
	a.Completed(ContainerID{Number: 9})
	a.Blacklist(nil, []string{"h2"})
	a.Resync()
	h := a.Next()
	if len(h.Asks) != 1 || h.Asks[0].Count != 1 || len(h.Release) != 1 || h.Release[0].Number != 8 || !slices.Equal(h.BlacklistAdd, []string{"h1"}) || len(h.BlacklistRemove) != 0 {
		t.Errorf("%+v", h)
	}
}

func TestAsksWithoutRequestIDs(t *testing.T) {
	a := NewAsks()
	big := Request{Resource: Resource{MemoryMB: 4096, VCores: 1}, Priority: 1}
	a.Add(big, 1)
	id := a.Add(small, 1)
	a.Next()
	wanted, _ := a.Answered([]Container{box(-1, 1)})
	if len(wanted) != 1 || a.OutstandingOf(id) != 0 || a.Outstanding() != 1 {
		t.Errorf("%v, %d outstanding", wanted, a.Outstanding())
	}
}

// scheduler is a ResourceManager as far as Asks sees it: it allocates between heartbeats by the counts it was told.
type scheduler struct {
	pending map[RequestID]int
	fresh   []Container
	next    int64
	// given are containers handed out and not released.
	given map[int64]bool
}

func (s *scheduler) allocate(n int) {
	for ; n > 0; n-- {
		for id, count := range s.pending {
			if count > 0 {
				s.pending[id]--
				s.next++
				s.fresh = append(s.fresh, box(id, s.next))
				break
			}
		}
	}
}

func (s *scheduler) heartbeat(h Heartbeat) []Container {
	for _, a := range h.Asks {
		s.pending[a.ID] = a.Count
	}
	for _, id := range h.Release {
		delete(s.given, id.Number)
	}
	out := s.fresh
	s.fresh = nil
	for _, c := range out {
		s.given[c.ID.Number] = true
	}
	return out
}

// TestAsksAgainstAScheduler runs random histories, with lost heartbeats and restarts, and demands that in the end exactly
// as many containers are held as were wanted.
func TestAsksAgainstAScheduler(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		a, s := NewAsks(), &scheduler{pending: map[RequestID]int{}, given: map[int64]bool{}}
		want, held := 0, 0
		var ids []RequestID
		beat := func() {
			h := a.Next()
			wanted, _ := a.Answered(s.heartbeat(h))
			held += len(wanted)
		}
		for range 60 {
			switch rng.IntN(6) {
			case 0:
				n := rng.IntN(4)
				want += n
				ids = append(ids, a.Add(small, n))
			case 1:
				if len(ids) > 0 {
					want -= a.Cancel(ids[rng.IntN(len(ids))], 1+rng.IntN(3))
				}
			case 2, 3:
				s.allocate(rng.IntN(4))
			case 4:
				beat()
			case 5:
				if rng.IntN(4) == 0 {
					// A restarted ResourceManager forgets requests, and what it had not handed out.
					s.pending, s.fresh = map[RequestID]int{}, nil
					a.Resync()
				} else {
					// A heartbeat that never arrives.
					a.Next()
				}
			}
			if got := a.Outstanding() + held; got != want {
				t.Fatalf("seed %d: %d outstanding and %d held, want %d", seed, a.Outstanding(), held, want)
			}
		}
		for range 50 {
			beat()
			s.allocate(10)
		}
		beat()
		beat()
		if held != want || len(s.given) != want || a.Outstanding() != 0 {
			t.Fatalf("seed %d: held %d, given %d, outstanding %d, want %d: %s", seed, held, len(s.given), a.Outstanding(), want, fmt.Sprint(s.pending))
		}
	}
}
