package main

import (
	"fmt"
	"time"

	"github.com/weft-project/weft/bench/workload"
	"github.com/weft-project/weft/stream"
)

// What of an event goes past a filter: the fields that a query needs.
type (
	bid    struct{ Auction, Bidder, Price, TS int64 }
	priced struct{ Auction, Price int64 }
	offer  struct{ ID, Seller int64 }
	person struct {
		ID                int64
		Name, City, State string
	}
	counted struct{ ID, Count, Start, End int64 }
)

// queries of nexmark: each adds its operators behind the source.
var queries = map[string]func(events *stream.Stream[workload.Event], o *options){
	"gen": genOnly, "q0": q0, "q1": q1, "q2": q2, "q3": q3, "q4": q4, "q5": q5, "q7": q7, "q8": q8, "q11": q11, "q12": q12,
}

// nexmark runs one query over persons, auctions and bids.
func nexmark(env *stream.Env, o *options) error {
	query, ok := queries[o.query]
	if !ok {
		return fmt.Errorf("--query %q: expected gen, q0 to q5, q7, q8, q11 or q12", o.query)
	}
	o.records = or(o.events, 10_000_000)
	source := generated(o.records, o.rate, func() func(int64, *workload.Event) {
		return workload.NewNexmark(uint64(o.seed), o.eventRate).Fill
	})
	query(stream.FromTimedSource(env, "events", source, stream.Monotonous(func(e *workload.Event) int64 { return e.TS })), o)
	return nil
}

// result sends a query's results to a sink that counts them.
func result[T any](in *stream.Stream[T], fold func(v *T) uint64) {
	stream.ForEachRefWith(in, "discard", func(c *stream.Context) func(*T) {
		t := newTally(c)
		return func(v *T) { t.add(int64(fold(v))) }
	})
}

func fold(a, b, c, d int64) uint64 { return workload.Fold(uint64(a), uint64(b), uint64(c), uint64(d)) }

func (b *bid) fold() uint64 { return fold(b.Auction, b.Bidder, b.Price, b.TS) }

// bids are the bids among the events.
func bids(events *stream.Stream[workload.Event]) *stream.Stream[bid] {
	return stream.FlatMapRef(events, "bids", func(e *workload.Event, emit func(bid)) {
		if e.Kind == workload.IsBid {
			emit(bid{e.Bid.Auction, e.Bid.Bidder, e.Bid.Price, e.Bid.TS})
		}
	})
}

// genOnly is the source alone.
func genOnly(events *stream.Stream[workload.Event], o *options) {
	result(events, func(e *workload.Event) uint64 { return e.Fold(o.text) })
}

// q0 passes bids through.
func q0(events *stream.Stream[workload.Event], _ *options) { result(bids(events), (*bid).fold) }

// q1 converts prices.
func q1(events *stream.Stream[workload.Event], _ *options) {
	result(stream.Map(bids(events), "convert", func(b bid) bid {
		b.Price = b.Price * 908 / 1000
		return b
	}), (*bid).fold)
}

// q2 selects the bids on some auctions.
func q2(events *stream.Stream[workload.Event], _ *options) {
	selected := stream.Filter(bids(events), "select", func(b bid) bool { return b.Auction%123 == 0 })
	result(stream.Map(selected, "project", func(b bid) priced { return priced{b.Auction, b.Price} }),
		func(p *priced) uint64 { return workload.Fold(uint64(p.Auction), uint64(p.Price)) })
}

// offers are auctions, with the persons who pass keep as a side output.
func offers(events *stream.Stream[workload.Event], auction func(a *workload.Auction) bool, keep func(p *workload.Person) bool) (*stream.Stream[offer], *stream.Stream[person]) {
	side := stream.NewSide[person]("persons")
	out := stream.FlatMapRefWith(events, "auctions and persons", func(c *stream.Context) func(*workload.Event, func(offer)) {
		persons := side.Emitter(c)
		return func(e *workload.Event, emit func(offer)) {
			switch {
			case e.Kind == workload.IsAuction && auction(&e.Auction):
				emit(offer{e.Auction.ID, e.Auction.Seller})
			case e.Kind == workload.IsPerson && keep(&e.Person):
				persons(person{e.Person.ID, e.Person.Name, e.Person.City, e.Person.State})
			}
		}
	})
	return out, side.From(out)
}

// local is a result of q3.
type local struct {
	Name, City, State string
	Auction           int64
}

// q3 joins auctions of a category to persons of three states who sell them, however far apart they come.
func q3(events *stream.Stream[workload.Event], _ *options) {
	auctions, persons := offers(events, func(a *workload.Auction) bool { return a.Category == 10 },
		func(p *workload.Person) bool { return p.State == "OR" || p.State == "ID" || p.State == "CA" })
	bySeller := stream.KeyBy(auctions, func(a offer) int64 { return a.Seller })
	sellers, early := stream.DeclareValue[person](bySeller, "seller"), stream.DeclareList[int64](bySeller, "auctions")
	joined := stream.KeyedCoProcess(bySeller, stream.KeyBy(persons, func(p person) int64 { return p.ID }),
		"join", func(k *stream.Keyed[int64], emit func(local)) (func(offer), func(person)) {
			seller, waiting := sellers.In(k), early.In(k)
			return func(a offer) {
					if p, ok := seller.Get(); ok {
						emit(local{p.Name, p.City, p.State, a.ID})
					} else {
						waiting.Add(a.ID)
					}
				}, func(p person) {
					seller.Set(p)
					for _, id := range waiting.Get() {
						emit(local{p.Name, p.City, p.State, id})
					}
					waiting.Clear()
				}
		})
	result(joined, func(l *local) uint64 { return workload.Fold(uint64(l.Auction)) })
}

// top is the auctions that have the most bids of a window.
type top struct {
	Count    int64
	Auctions []int64
}

func (t *top) add(count, auction int64) {
	if count > t.Count {
		t.Count, t.Auctions = count, t.Auctions[:0]
	}
	if count == t.Count {
		t.Auctions = append(t.Auctions, auction)
	}
}

// counting counts records.
func counting[T any]() stream.Aggregate[T, int64, int64] {
	return stream.Aggregate[T, int64, int64]{
		Add:    func(n *int64, _ *T) { *n++ },
		Merge:  func(n, other *int64) { *n += *other },
		Result: func(n *int64) int64 { return *n },
	}
}

func withWindow(c *stream.WindowContext[int64], n int64, emit func(counted)) {
	emit(counted{c.Key, n, c.Window.Start, c.Window.End})
}

// q5 gives the auctions with the most bids in sliding windows.
func q5(events *stream.Stream[workload.Event], _ *options) {
	auctions := stream.FlatMapRef(events, "auctions of bids", func(e *workload.Event, emit func(int64)) {
		if e.Kind == workload.IsBid {
			emit(e.Bid.Auction)
		}
	})
	byAuction := stream.KeyBy(auctions, func(auction int64) int64 { return auction })
	counts := stream.AggregateWindowWith(stream.Window(byAuction, stream.Sliding(10*time.Second, 2*time.Second)), "count", counting[int64](), withWindow)
	hottest := stream.AggregateWindowWith(stream.WindowAll(counts, stream.Tumbling(2*time.Second)), "most", stream.Aggregate[counted, top, top]{
		Add: func(t *top, c *counted) { t.add(c.Count, c.ID) },
		Merge: func(t, other *top) {
			for _, a := range other.Auctions {
				t.add(other.Count, a)
			}
		},
		Result: func(t *top) top { return *t },
	}, func(c *stream.WindowContext[stream.All], t top, emit func(counted)) {
		for _, a := range t.Auctions {
			emit(counted{a, t.Count, c.Window.Start, c.Window.End})
		}
	})
	result(hottest, func(c *counted) uint64 { return workload.Fold(uint64(c.ID), uint64(c.Count), uint64(c.End)) })
}

// higher keeps the better bid; of equal ones the lowest auction, bidder, time.
func higher(acc, b *bid) {
	switch {
	case b.Price != acc.Price:
		if b.Price < acc.Price {
			return
		}
	case b.Auction != acc.Auction:
		if b.Auction > acc.Auction {
			return
		}
	case b.Bidder != acc.Bidder:
		if b.Bidder > acc.Bidder {
			return
		}
	case b.TS >= acc.TS:
		return
	}
	*acc = *b
}

// q7 gives the highest bid of each window, in two stages.
func q7(events *stream.Stream[workload.Event], _ *options) {
	byAuction := stream.KeyBy(bids(events), func(b bid) int64 { return b.Auction % 16 })
	parts := stream.ReduceWindowRef(stream.Window(byAuction, stream.Tumbling(10*time.Second)), "highest of each", higher)
	highest := stream.ReduceWindowRef(stream.WindowAll(parts, stream.Tumbling(10*time.Second)), "highest", higher)
	result(highest, (*bid).fold)
}

// q8 gives the persons who register and sell in the same window.
func q8(events *stream.Stream[workload.Event], _ *options) {
	auctions, persons := offers(events, func(*workload.Auction) bool { return true }, func(*workload.Person) bool { return true })
	active := stream.CoGroupWindow(stream.CoWindow(stream.KeyBy(persons, func(p person) int64 { return p.ID }), stream.KeyBy(auctions, func(a offer) int64 { return a.Seller }),
		stream.Tumbling(10*time.Second)), "registered and selling", func(_ *stream.WindowContext[int64], ps []person, as []offer, emit func(person)) {
		if len(ps) > 0 && len(as) > 0 {
			emit(ps[0])
		}
	})
	result(active, func(p *person) uint64 { return workload.Fold(uint64(p.ID)) })
}

// bidders are the bids by bidder.
func bidders(events *stream.Stream[workload.Event]) *stream.KeyedStream[int64, int64] {
	of := stream.FlatMapRef(events, "bidders", func(e *workload.Event, emit func(int64)) {
		if e.Kind == workload.IsBid {
			emit(e.Bid.Bidder)
		}
	})
	return stream.KeyBy(of, func(bidder int64) int64 { return bidder })
}

// q11 counts the bids of each bidder in sessions.
func q11(events *stream.Stream[workload.Event], _ *options) {
	sessions := stream.Window(bidders(events), stream.Session(10*time.Second))
	result(stream.AggregateWindowWith(sessions, "count", counting[int64](), withWindow),
		func(c *counted) uint64 { return fold(c.ID, c.Count, c.Start, c.End) })
}

// q12 counts them in windows of the clock's time.
func q12(events *stream.Stream[workload.Event], _ *options) {
	windows := stream.Window(bidders(events), stream.Tumbling(10*time.Second).InProcessingTime())
	result(stream.AggregateWindowWith(windows, "count", counting[int64](), withWindow),
		func(c *counted) uint64 { return workload.Fold(uint64(c.Count)) })
}
