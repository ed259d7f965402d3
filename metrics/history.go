package metrics

import "time"

// Interval is how often totals are noted for rates, Span how far back a rate looks; both are Flink's.
const (
	Interval = 5 * time.Second
	Span     = time.Minute
)

const places = int(Span/Interval) + 1

// History keeps what a total, or a set of totals, was in the last minute. The zero value begins at time 0 with a zero total.
type History[T any] struct {
	at     [places]time.Duration
	totals [places]T
	newest int // place of the one noted last
	full   bool
}

// Note keeps a total, unless one was kept less than Interval ago. Times do not go back.
func (h *History[T]) Note(now time.Duration, total T) {
	if now-h.at[h.newest] < Interval {
		return
	}
	h.newest = (h.newest + 1) % places
	h.full = h.full || h.newest == 0
	h.at[h.newest], h.totals[h.newest] = now, total
}

// Oldest is the total at the beginning of the last minute, or of all time where that is shorter, and how long ago that was.
func (h *History[T]) Oldest(now time.Duration) (total T, ago time.Duration) {
	first := 0
	if h.full {
		first = (h.newest + 1) % places
	}
	return h.totals[first], now - h.at[first]
}

// PerSecond is a rate: how much has been added in that time.
func PerSecond(added int64, in time.Duration) float64 {
	if in <= 0 {
		return 0
	}
	return float64(added) / in.Seconds()
}
