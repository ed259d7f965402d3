package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weft-project/weft/bench/workload"
)

// expect is what a workload gives.
type expect struct{ out, check int64 }

func (e *expect) add(xs ...int64) {
	us := make([]uint64, len(xs))
	for i, x := range xs {
		us[i] = uint64(x)
	}
	e.out++
	e.check += int64(workload.Fold(us...))
}

// runs is what a workload gives with these options.
func runs(t *testing.T, args ...string) expect {
	t.Helper()
	o := newOptions(args[0])
	if err := o.Parse(args[1:]); err != nil {
		t.Fatal(err)
	}
	r, err := execute(t.Context(), o, workloads[args[0]])
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return expect{r.Counter("out"), r.Counter("check")}
}

const (
	windowMS, slideMS = 10_000, 2000
)

// windowed gives each bid to the window from start.
func inWindows(bids []bid, size int64, slide int64, f func(start int64, bs []bid)) {
	by := map[int64][]bid{}
	for _, b := range bids {
		for start := b.TS / slide * slide; start > b.TS-size; start -= slide {
			by[start] = append(by[start], b)
		}
	}
	for start, bs := range by {
		f(start, bs)
	}
}

// answers computes the results of all queries from all events at once.
func answers(events []workload.Event) map[string]*expect {
	want := map[string]*expect{}
	for q := range queries {
		want[q] = &expect{}
	}
	var bids []bid
	for i := range events {
		e := &events[i]
		want["gen"].out++
		want["gen"].check += int64(e.Fold(false))
		if e.Kind == workload.IsBid {
			b := bid{e.Bid.Auction, e.Bid.Bidder, e.Bid.Price, e.Bid.TS}
			bids = append(bids, b)
			want["q0"].add(b.Auction, b.Bidder, b.Price, b.TS)
			want["q1"].add(b.Auction, b.Bidder, b.Price*908/1000, b.TS)
			if b.Auction%123 == 0 {
				want["q2"].add(b.Auction, b.Price)
			}
		}
	}
	joinsOf(events, want)
	winnersOf(events, bids, want["q4"])
	inWindows(bids, windowMS, slideMS, func(start int64, bs []bid) {
		counts := map[int64]int64{}
		var most int64
		for _, b := range bs {
			counts[b.Auction]++
			most = max(most, counts[b.Auction])
		}
		for auction, n := range counts {
			if n == most {
				want["q5"].add(auction, n, start+windowMS)
			}
		}
	})
	inWindows(bids, windowMS, windowMS, func(_ int64, bs []bid) {
		b := slices.MaxFunc(bs, func(a, b bid) int {
			for _, d := range []int64{a.Price - b.Price, b.Auction - a.Auction, b.Bidder - a.Bidder, b.TS - a.TS} {
				if d != 0 {
					return int(d)
				}
			}
			return 0
		})
		want["q7"].add(b.Auction, b.Bidder, b.Price, b.TS)
	})
	sessionsOf(bids, want["q11"])
	return want
}

func joinsOf(events []workload.Event, want map[string]*expect) {
	persons := map[int64]*workload.Person{}
	for i := range events {
		if e := &events[i]; e.Kind == workload.IsPerson {
			persons[e.Person.ID] = &e.Person
		}
	}
	sold := map[int64]bool{}
	for i := range events {
		a := &events[i].Auction
		p := persons[a.Seller]
		if events[i].Kind != workload.IsAuction || p == nil {
			continue
		}
		if a.Category == 10 && slices.Contains([]string{"OR", "ID", "CA"}, p.State) {
			want["q3"].add(a.ID)
		}
		if a.TS/windowMS == p.TS/windowMS && !sold[p.ID] {
			sold[p.ID] = true
			want["q8"].add(p.ID)
		}
	}
}

func winnersOf(events []workload.Event, bids []bid, want *expect) {
	by := map[int64][]bid{}
	for _, b := range bids {
		by[b.Auction] = append(by[b.Auction], b)
	}
	for i := range events {
		if a := &events[i].Auction; events[i].Kind == workload.IsAuction {
			var best int64
			for _, b := range by[a.ID] {
				if a.TS <= b.TS && b.TS <= a.Expires {
					best = max(best, b.Price)
				}
			}
			if best > 0 {
				want.add(a.Category, best)
			}
		}
	}
}

func sessionsOf(bids []bid, want *expect) {
	by := map[int64][]int64{}
	for _, b := range bids {
		by[b.Bidder] = append(by[b.Bidder], b.TS)
	}
	for bidder, times := range by {
		slices.Sort(times)
		for len(times) > 0 {
			n := 1
			for n < len(times) && times[n] <= times[n-1]+windowMS {
				n++
			}
			want.add(bidder, int64(n), times[0], times[n-1]+windowMS)
			times = times[n:]
		}
	}
}

// TestNexmark compares every query at several parallelisms with answers that are computed plainly, for a seed of its own each time.
func TestNexmark(t *testing.T) {
	seed, rate, n := rand.Uint64N(1<<40), int64(200), 12_000
	t.Logf("seed %d", seed)
	g := workload.NewNexmark(seed, rate)
	events := make([]workload.Event, n)
	for i := range events {
		g.Fill(int64(i), &events[i])
	}
	for query, want := range answers(events) {
		if query == "q12" {
			continue // the clock decides
		}
		if want.out == 0 {
			t.Errorf("%s: the events are too few for any result", query)
		}
		for _, parallelism := range []int{1, 2, 3} {
			got := runs(t, "nexmark", "--query", query, "--events", fmt.Sprint(n), "--event-rate", fmt.Sprint(rate), "--seed", fmt.Sprint(seed),
				"--parallelism", fmt.Sprint(parallelism))
			if got != *want {
				t.Errorf("%s, seed %d, parallelism %d: %+v, expected %+v", query, seed, parallelism, got, *want)
			}
		}
	}
}

// Windows of the clock that are open at the end of the input are dropped: no more than all bids are counted.
func TestNexmarkQ12(t *testing.T) {
	if got := runs(t, "nexmark", "--query", "q12", "--events", "5000", "--parallelism", "2"); got.out > 4600 {
		t.Errorf("%+v: more results than bids", got)
	}
}
