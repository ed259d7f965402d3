package state

import (
	"math/bits"
	"slices"
	"sync/atomic"
)

// views are those who read a table as it was at some moment; true is one that has let go.
type views []*atomic.Bool

// over tells that nobody reads any more.
func (v views) over() bool {
	for _, gone := range v {
		if !gone.Load() {
			return false
		}
	}
	return true
}

// with is v without those that have let go, and another one.
func (v views) with(one *atomic.Bool) views {
	out := views{one}
	for _, gone := range v {
		if !gone.Load() {
			out = append(out, gone)
		}
	}
	return out
}

// cloner makes a value independent of its copy that others read; nil where a copy is a clone.
type cloner[V any] func(v *V, by views)

// cloning is a codec's cloner as one of tables.
func cloning[V any](clone func(*V)) cloner[V] {
	if clone == nil {
		return nil
	}
	return func(v *V, _ views) { clone(v) }
}

// sharing is what a table knows while others read its pages: those as they were are never written; a page is copied before the
// first change, and a value that refers to memory is cloned before its first change.
type sharing[V any] struct {
	views views
	pages []uint64 // a bit for each page that others read
	clone cloner[V]
	// own has a bit for each entry of a page, once the page was copied: its value was cloned. nil for pages that nobody else has.
	own [][]uint64
}

// freeze gives the table as it is, for reading by entries only, until view is set. It costs a look at each page's place.
func (t *Table[K, V]) freeze(view *atomic.Bool, clone cloner[V]) *Table[K, V] {
	var old views
	if t.shared != nil {
		old = t.shared.views
	}
	frozen := &Table[K, V]{pages: slices.Clone(t.pages), n: t.n}
	t.share(old.with(view), clone)
	return frozen
}

// fork gives a table that goes on from t, which others read and nobody changes from now on.
func (t *Table[K, V]) fork(v views, clone cloner[V]) *Table[K, V] {
	next := *t
	next.pages = slices.Clone(t.pages)
	next.share(v, clone)
	return &next
}

func (t *Table[K, V]) share(v views, clone cloner[V]) {
	s := &sharing[V]{views: v, clone: clone, pages: make([]uint64, (len(t.pages)+63)/64)}
	for p := range t.pages {
		s.pages[p/64] |= 1 << (p % 64)
	}
	if clone != nil {
		s.own = make([][]uint64, len(t.pages))
	}
	t.shared = s
}

// has tells that others read a page.
func (s *sharing[V]) has(page int) bool {
	return page < 64*len(s.pages) && s.pages[page/64]&(1<<(page%64)) != 0
}

// owns tells that nobody else has what an entry's value refers to.
func (s *sharing[V]) owns(page, at int) bool {
	if s.clone == nil {
		return true
	}
	if s.has(page) {
		return false
	}
	return page >= len(s.own) || s.own[page] == nil || s.own[page][at/64]&(1<<(at%64)) != 0
}

// drop forgets a page: one that comes in its place is nobody else's.
func (s *sharing[V]) drop(page int) {
	if s.has(page) {
		s.pages[page/64] &^= 1 << (page % 64)
	}
	if page < len(s.own) {
		s.own[page] = nil
	}
}

// where is the page of entry n and its place there.
func where(n int) (page, at int) {
	if n >= pageSize {
		return n>>pageBits + smallPages - 1, n & (pageSize - 1)
	}
	page = bits.Len(uint(n >> firstBits))
	if page > 0 {
		n -= 1 << (firstBits + page - 1)
	}
	return page, n
}

// mine is the place of entry n, fit to be changed. all: its value is to be overwritten as a whole.
func (t *Table[K, V]) mine(n int, all bool) *tableEntry[K, V] {
	s := t.shared
	if s == nil || s.views.over() {
		t.shared = nil
		return t.entry(n)
	}
	page, at := where(n)
	if s.has(page) {
		t.pages[page] = slices.Clone(t.pages[page])
		s.drop(page)
		if s.clone != nil {
			s.own[page] = make([]uint64, (len(t.pages[page])+63)/64)
		}
	}
	e := &t.pages[page][at]
	if !s.owns(page, at) {
		s.own[page][at/64] |= 1 << (at % 64)
		if !all {
			s.clone(&e.val, s.views)
		}
	}
	return e
}

// moving makes entries from and to fit for the one to be moved to the place of the other, and its own place to be emptied.
func (t *Table[K, V]) moving(from, to int) {
	s := t.shared
	owned := s.owns(where(from))
	t.mine(to, true)
	e := t.mine(from, true)
	if owned || t.shared == nil || from == to {
		return
	}
	if page, at := where(to); page < len(s.own) && s.own[page] != nil {
		s.own[page][at/64] &^= 1 << (at % 64)
	} else {
		s.clone(&e.val, s.views)
	}
}

// place is At for a value that is overwritten as a whole: what others read of it is not cloned.
func (t *Table[K, V]) place(key K, hash uint64) *V {
	if t.shared != nil {
		if n := t.find(key, hash); n >= 0 {
			return &t.mine(n, true).val
		}
	}
	v, _ := t.At(key, hash)
	return v
}

// read calls f for every entry, which f does not change.
func (t *Table[K, V]) read(f func(key *K, v *V)) {
	for n := range t.n {
		e := t.entry(n)
		f(&e.key, &e.val)
	}
}
