package state

import "time"

// TTL lets entries of keyed state expire, by processing time.
type TTL struct {
	// After is how long an entry lives; 0 for ever.
	After time.Duration
	// OnRead: reading lengthens its life too, not writing only.
	OnRead bool
	// ReturnExpired gives values that have expired but were not removed yet.
	ReturnExpired bool
}

// sweepSteps is how many entries each write looks at for ones that have expired.
const sweepSteps = 2

// expiry remembers when entries were used.
type expiry[K comparable] struct {
	TTL
	millis int64
	times  tables[K, int64]
	cursor []int
	// remove forgets the value of the current key of a group.
	remove func(group int, key K, hash uint64)
}

func newExpiry[K comparable](k *Keyed[K], ttl TTL, remove func(group int, key K, hash uint64)) *expiry[K] {
	if ttl.After <= 0 || k.Now == nil {
		return nil
	}
	return &expiry[K]{TTL: ttl, millis: max(1, ttl.After.Milliseconds()), times: newTables[int64](k, ""),
		cursor: make([]int, k.groups.End-k.groups.First), remove: remove}
}

// read tells whether the current key's entry may be seen; one that has expired is removed.
func (e *expiry[K]) read() bool {
	at := e.times.get()
	if at == nil {
		return true
	}
	now := e.times.k.Now()
	if now-*at < e.millis {
		if e.OnRead {
			*at = now
		}
		return true
	}
	k := e.times.k
	if !e.ReturnExpired {
		e.times.delete()
		e.remove(k.group, k.key, k.hash)
	}
	return e.ReturnExpired
}

// wrote notes a write of the current key, and removes a few entries that have expired.
func (e *expiry[K]) wrote() {
	k := e.times.k
	now := k.Now()
	at, _ := e.times.at()
	*at = now
	t := e.times.groups[k.group]
	for range sweepSteps {
		c := e.cursor[k.group]
		if c >= t.Len() {
			c = 0
		}
		e.cursor[k.group] = c + 1
		if key, at := t.Nth(c); now-*at >= e.millis {
			gone := *key
			hash := k.hasher(gone)
			t.Delete(gone, hash)
			e.remove(k.group, gone, hash)
		}
	}
}
