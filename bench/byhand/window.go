package main

import (
	"math"
	"net"

	"github.com/weft-project/weft/bench/workload"
)

// What keyed-window is with its defaults.
const (
	keys, perMS, windowMS, lateMS, seed = 1_000_000, 1000, 10_000, 2000, 1
	// inFlight batches of a sender and receiver.
	inFlight = 16
)

type reading struct{ key, value, ts int64 }

type total struct{ sum, count int64 }

// keyedWindow generates every other event, deals them out by key, and sums up the keys that are this process's.
func keyedWindow(me int, peer net.Conn, o options) (outcome, error) {
	in, out := make(chan *batch, 2*inFlight), make(chan *batch, inFlight)
	var free [processes]chan *batch // of what this process sends to each
	received := make(chan *batch, inFlight)
	for p := range free {
		free[p] = make(chan *batch, inFlight+1)
		for range inFlight {
			free[p] <- &batch{sender: me, readings: make([]reading, 0, perBatch)}
		}
	}
	for range inFlight {
		received <- &batch{sender: 1 - me, readings: make([]reading, 0, perBatch)}
	}
	failed := make(chan error, 2)
	go func() { failed <- toPeer(peer, out, free[1-me]) }()
	go func() { failed <- fromPeer(peer, in, received) }()
	go generate(me, o.events, func(p int, b *batch) *batch {
		if p == me {
			in <- b
		} else {
			out <- b
		}
		if b.end {
			if p != me {
				close(out)
			}
			return nil
		}
		next := <-free[p]
		next.readings = next.readings[:0]
		return next
	}, free)
	done := make(chan outcome, 1)
	go func() {
		done <- sumUp(in, func(b *batch) {
			if b.sender == me {
				free[me] <- b
			} else {
				received <- b
			}
		})
	}()
	var x outcome
	for waiting := 3; waiting > 0; waiting-- {
		select {
		case err := <-failed:
			if err != nil {
				return x, err
			}
		case x = <-done:
		}
	}
	return x, nil
}

// generate makes this process's events; send hands a batch over and gives the next one to fill.
func generate(me int, n int64, send func(p int, b *batch) *batch, free [processes]chan *batch) {
	var to [processes]*batch
	for p := range to {
		to[p] = <-free[p]
	}
	highest := int64(math.MinInt64 + lateMS + 1)
	for i := int64(me); i < n; i += processes {
		draw := func(j uint64) int64 { return int64(workload.At(seed, uint64(i), j) >> 1) }
		r := reading{draw(0) % keys, draw(1) % 1000, i / perMS}
		if draw(2)%100 < 5 {
			r.ts = max(0, r.ts-draw(3)%lateMS)
		}
		highest = max(highest, r.ts)
		p := int(workload.Mix(uint64(r.key))>>32) % processes
		b := to[p]
		b.readings = append(b.readings, r)
		if len(b.readings) == perBatch {
			b.watermark = highest - lateMS - 1
			to[p] = send(p, b)
		}
	}
	for p, b := range to {
		b.watermark, b.end = math.MaxInt64, true
		send(p, b)
	}
}

// sumUp keeps a table for each window and gives its entries when both senders have passed its end.
func sumUp(in <-chan *batch, release func(*batch)) outcome {
	var x outcome
	windows := map[int64]map[int64]total{}
	var seen [processes]int64
	for p := range seen {
		seen[p] = math.MinInt64
	}
	now := int64(math.MinInt64)
	var table map[int64]total
	last := int64(math.MinInt64)
	for ends := 0; ends < processes; {
		b := <-in
		for i := range b.readings {
			r := &b.readings[i]
			if start := r.ts / windowMS * windowMS; start != last {
				if table = windows[start]; table == nil {
					table = make(map[int64]total, keys/processes)
					windows[start] = table
				}
				last = start
			}
			t := table[r.key]
			table[r.key] = total{t.sum + r.value, t.count + 1}
		}
		seen[b.sender] = b.watermark
		if b.end {
			ends++
		}
		if wm := min(seen[0], seen[1]); wm > now {
			now = wm
			for start, t := range windows {
				if start+windowMS-1 <= now {
					emit(&x, start, t)
					delete(windows, start)
					last = math.MinInt64
				}
			}
		}
		release(b)
	}
	return x
}

func emit(x *outcome, start int64, table map[int64]total) {
	for key, t := range table {
		x.Out++
		x.Records += t.count
		x.Check += int64(workload.Fold(uint64(start), uint64(key), uint64(t.sum), uint64(t.count)))
	}
}
