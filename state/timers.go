package state

import (
	"encoding/binary"
	"math"

	"github.com/weft-project/weft/codec"
)

// Timers are the timers of one kind of time of an operator's subtask: a key and a namespace (the window, where there are
// windows) at a time. One that is set again is one. They come in order of time, those of one time in the order in which
// they were set.
type Timers[K, N comparable] struct {
	name    string
	groups  Groups
	times   timeHeap
	buckets map[int64]*bucket[K, N]
	index   *Table[timerKey[K, N], int32]
	hash    func(K) uint64
	typ     *codec.Key[K]
	keep    func(*K)
	live    int
	spare   []*bucket[K, N]
	last    *bucket[K, N] // asked for last
	enc     func([]byte, *Timer[K, N]) []byte
	dec     func(string, int, *Timer[K, N]) (int, error)
}

// Timer is one of them.
type Timer[K, N comparable] struct {
	At  int64
	Key K
	NS  N
}

type timerKey[K, N comparable] struct {
	at  int64
	key K
	ns  N
}

// bucket holds the timers of one time.
type bucket[K, N comparable] struct {
	at      int64
	entries []bucketEntry[K, N]
	next    int
	live    int
}

type bucketEntry[K, N comparable] struct {
	key  K
	hash uint64
	ns   N
	dead bool
}

// timeHeap is a heap of distinct times.
type timeHeap []int64

func (h *timeHeap) push(at int64) {
	*h = append(*h, at)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up] <= s[i] {
			return
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

func (h *timeHeap) pop() int64 {
	s := *h
	first, n := s[0], len(s)-1
	s[0] = s[n]
	*h = s[:n]
	h.down(0)
	return first
}

func (h timeHeap) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h[c] < h[least] {
				least = c
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// NewTimers makes it without a timer, and registers it as a part.
func NewTimers[N comparable, K comparable](k *Keyed[K], name string) (*Timers[K, N], error) {
	c, err := codec.Of[Timer[K, N]]()
	if err != nil {
		return nil, err
	}
	t := &Timers[K, N]{name: name, groups: k.groups, hash: k.hasher, typ: k.typ, keep: k.keepKey, buckets: map[int64]*bucket[K, N]{},
		enc: c.Encoder(), dec: c.Decoder()}
	t.index = NewTable[timerKey[K, N], int32](nil, func(x timerKey[K, N]) uint64 { return t.mix(x.at, t.hash(x.key)) })
	return t, k.Register(t)
}

func (t *Timers[K, N]) mix(at int64, hash uint64) uint64 {
	h := hash ^ uint64(at)*0x9E3779B97F4A7C15
	h = (h ^ h>>32) * 0xBF58476D1CE4E5B9
	return h ^ h>>29
}

// Len is the number of timers.
func (t *Timers[K, N]) Len() int { return t.live }

// Next is the earliest time; math.MaxInt64 with ok false where there is none.
func (t *Timers[K, N]) Next() (at int64, ok bool) {
	for len(t.times) > 0 {
		b := t.buckets[t.times[0]]
		if b.live > 0 {
			return b.at, true
		}
		t.drop(b)
	}
	return math.MaxInt64, false
}

// drop forgets the first bucket, which is empty.
func (t *Timers[K, N]) drop(b *bucket[K, N]) {
	t.times.pop()
	delete(t.buckets, b.at)
	if t.last == b {
		t.last = nil
	}
	if len(t.spare) < 64 && cap(b.entries) <= 1024 {
		clear(b.entries)
		*b = bucket[K, N]{entries: b.entries[:0]}
		t.spare = append(t.spare, b)
	}
}

// Set sets a timer; false when it is set already.
func (t *Timers[K, N]) Set(at int64, key K, hash uint64, ns N) bool {
	if t.keep != nil {
		kept := key
		t.keep(&kept)
		key = kept
	}
	place, fresh := t.index.At(timerKey[K, N]{at, key, ns}, t.mix(at, hash))
	if !fresh {
		return false
	}
	b := t.bucketAt(at)
	*place = int32(len(b.entries))
	b.entries = append(b.entries, bucketEntry[K, N]{key: key, hash: hash, ns: ns})
	b.live++
	t.live++
	return true
}

func (t *Timers[K, N]) bucketAt(at int64) *bucket[K, N] {
	if t.last != nil && t.last.at == at {
		return t.last
	}
	b := t.buckets[at]
	if b == nil {
		if n := len(t.spare); n > 0 {
			b, t.spare = t.spare[n-1], t.spare[:n-1]
		} else {
			b = &bucket[K, N]{}
		}
		b.at = at
		t.buckets[at] = b
		t.times.push(at)
	}
	t.last = b
	return b
}

// Delete removes a timer; false when there is none.
func (t *Timers[K, N]) Delete(at int64, key K, hash uint64, ns N) bool {
	tk, h := timerKey[K, N]{at, key, ns}, t.mix(at, hash)
	place := t.index.Look(tk, h)
	if place == nil {
		return false
	}
	b := t.buckets[at]
	b.entries[*place] = bucketEntry[K, N]{dead: true}
	b.live--
	t.live--
	t.index.Delete(tk, h)
	if b.live == 0 && b.next == 0 {
		b.entries = b.entries[:0] // places begin anew: nobody refers to them
	}
	t.compact()
	return true
}

// compact forgets times of which all timers were deleted, when they are most.
func (t *Timers[K, N]) compact() {
	if len(t.times) < 1024 || len(t.times) < 2*t.live+1024 {
		return
	}
	kept := t.times[:0]
	for _, at := range t.times {
		if b := t.buckets[at]; b.live > 0 || b.next > 0 {
			kept = append(kept, at)
		} else {
			delete(t.buckets, at)
			if t.last == b {
				t.last = nil
			}
		}
	}
	t.times = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		t.times.down(i)
	}
}

// Pop takes the first timer that is due at now; ok is false where there is none.
func (t *Timers[K, N]) Pop(now int64) (timer Timer[K, N], hash uint64, ok bool) {
	at, found := t.Next()
	if !found || at > now {
		return timer, 0, false
	}
	b := t.buckets[at]
	for b.entries[b.next].dead {
		b.next++
	}
	e := &b.entries[b.next]
	timer = Timer[K, N]{at, e.key, e.ns}
	hash = e.hash
	*e = bucketEntry[K, N]{dead: true}
	b.next++
	b.live--
	t.live--
	t.index.Delete(timerKey[K, N]{at, timer.Key, timer.NS}, t.mix(at, hash))
	return timer, hash, true
}

// Name is Part's.
func (t *Timers[K, N]) Name() string { return t.name }

// Snapshot is Part's.
func (t *Timers[K, N]) Snapshot(group int, dst []byte) []byte {
	dst = append(dst, formatVersion)
	times := append(timeHeap(nil), t.times...)
	var body []byte
	n := 0
	for len(times) > 0 {
		b := t.buckets[times.pop()]
		for i := b.next; i < len(b.entries); i++ {
			if e := &b.entries[i]; !e.dead && codec.KeyGroup(e.hash, t.groups.Max) == group {
				body = t.enc(body, &Timer[K, N]{b.at, e.key, e.ns})
				n++
			}
		}
	}
	return append(binary.AppendUvarint(dst, uint64(n)), body...)
}

// Restore is Part's.
func (t *Timers[K, N]) Restore(_ int, src string) error {
	n, pos, err := header(src)
	if err != nil {
		return err
	}
	for range n {
		var x Timer[K, N]
		if pos, err = t.dec(src, pos, &x); err != nil {
			return err
		}
		t.Set(x.At, x.Key, t.hash(x.Key), x.NS)
	}
	return nil
}
