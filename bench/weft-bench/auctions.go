package main

import (
	"github.com/weft-project/weft/bench/workload"
	"github.com/weft-project/weft/stream"
)

// auction is what q4 needs of one, and what it remembers: the best bid so far.
type auction struct {
	ID, Category, TS, Expires int64
	Best                      int64
}

// won is an auction that has ended with a bid; then the average of its category so far, too.
type won struct{ Category, Price, Average int64 }

// early is a bid that came before its auction, or after it.
type early struct{ Price, TS int64 }

// patience is how long a bid waits for its auction, in milliseconds of event time.
const patience = 1000

// q4 gives the winning bid of each auction, and with it the average of its category so far.
func q4(events *stream.Stream[workload.Event], _ *options) {
	side := stream.NewSide[auction]("auctions")
	offered := stream.FlatMapRefWith(events, "bids and auctions", func(c *stream.Context) func(*workload.Event, func(placed)) {
		auctions := side.Emitter(c)
		return func(e *workload.Event, emit func(placed)) {
			switch e.Kind {
			case workload.IsBid:
				emit(placed{e.Bid.Auction, e.Bid.Price, e.Bid.TS})
			case workload.IsAuction:
				a := &e.Auction
				auctions(auction{ID: a.ID, Category: a.Category, TS: a.TS, Expires: a.Expires})
			}
		}
	})
	byBid := stream.KeyBy(offered, func(b placed) int64 { return b.Auction })
	byAuction := stream.KeyBy(side.From(offered), func(a auction) int64 { return a.ID })
	winners := stream.KeyedCoProcess(byBid, byAuction, "winning bids", winning(byBid))
	byCategory := stream.KeyBy(winners, func(w won) int64 { return w.Category })
	totals := stream.DeclareValue[struct{ Sum, Count int64 }](byCategory, "sums")
	averages := stream.KeyedProcess(byCategory, "average", func(k *stream.Keyed[int64], emit func(won)) func(won) {
		sums := totals.In(k)
		return func(w won) {
			s := sums.Ref()
			s.Sum += w.Price
			s.Count++
			w.Average = s.Sum / s.Count
			emit(w)
		}
	})
	result(averages, func(w *won) uint64 { return workload.Fold(uint64(w.Category), uint64(w.Price)) })
}

// placed is what q4 needs of a bid.
type placed struct{ Auction, Price, TS int64 }

// winning declares the state for the best bid of each auction while it is open, and gives the function that opens a subtask with it.
func winning(byBid *stream.KeyedStream[int64, placed]) func(k *stream.Keyed[int64], emit func(won)) (func(placed), func(auction)) {
	auctions, bids := stream.DeclareValue[auction](byBid, "auction"), stream.DeclareList[early](byBid, "early bids")
	return func(k *stream.Keyed[int64], emit func(won)) (func(placed), func(auction)) {
		return best(k, auctions.In(k), bids.In(k), emit)
	}
}

// best makes the functions that find the best bid of each auction.
func best(k *stream.Keyed[int64], open *stream.Value[int64, auction], waiting *stream.List[int64, early], emit func(won)) (func(placed), func(auction)) {
	k.OnTimer(func(t stream.Timer) {
		if a, ok := open.Get(); ok && t.At >= a.Expires {
			if a.Best > 0 {
				emit(won{Category: a.Category, Price: a.Best})
			}
			open.Clear()
		}
		wait(k, waiting, t.At)
	})
	return func(b placed) {
			if a, ok := open.Get(); ok {
				if a.TS <= b.TS && b.TS <= a.Expires && b.Price > a.Best {
					open.Ref().Best = b.Price
				}
				return
			}
			if b.TS+patience > k.Watermark() {
				if len(waiting.Get()) == 0 {
					k.SetTimer(b.TS + patience)
				}
				waiting.Add(early{b.Price, b.TS})
			}
		}, func(a auction) {
			for _, b := range waiting.Get() {
				if a.TS <= b.TS && b.TS <= a.Expires {
					a.Best = max(a.Best, b.Price)
				}
			}
			waiting.Clear()
			open.Set(a)
			k.SetTimer(a.Expires)
		}
}

// wait drops the bids that have waited long enough, and sets the timer for those that have not.
func wait(k *stream.Keyed[int64], waiting *stream.List[int64, early], now int64) {
	var left []early
	for _, b := range waiting.Get() {
		if b.TS+patience > now {
			left = append(left, b)
		}
	}
	waiting.Clear()
	for i, b := range left {
		if i == 0 {
			k.SetTimer(b.TS + patience)
		}
		waiting.Add(b)
	}
}
