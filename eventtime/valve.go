package eventtime

import "math"

const (
	// None is the timestamp of a record that has none, and the watermark before the first.
	None = math.MinInt64
	// Max is the watermark that ends a stream: everything is due.
	Max = math.MaxInt64
)

// Valve makes one watermark of those of many channels: the lowest of the active ones. It never goes back: a channel that
// becomes active again behind what has been said takes part when it has caught up.
type Valve struct {
	channels []channel
	// last is the watermark said last; idle the status.
	last int64
	idle bool
	// active channels are neither idle nor ended; open ones have not ended.
	active, open int
}

type channel struct {
	watermark int64
	idle      bool
	ended     bool
	// aligned: it takes part in the lowest.
	aligned bool
}

// NewValve makes a valve of n channels, all active.
func NewValve(n int) *Valve {
	v := &Valve{channels: make([]channel, n), last: None, active: n, open: n}
	for i := range v.channels {
		v.channels[i] = channel{watermark: None, aligned: true}
	}
	return v
}

// Last is the watermark said last.
func (v *Valve) Last() int64 { return v.last }

// Idle tells whether all channels that have not ended are idle.
func (v *Valve) Idle() bool { return v.idle }

// Watermark takes a channel's watermark; advanced tells that Last is a new one, changed that Idle is a new status, which
// is to be handed on after it. Max ends the channel.
func (v *Valve) Watermark(ch int, wm int64) (advanced, changed bool) {
	if wm == Max {
		return v.End(ch)
	}
	c := &v.channels[ch]
	if c.idle || c.ended || wm <= c.watermark {
		return false, false
	}
	held := c.watermark == v.last || v.last == None
	c.watermark = wm
	if !c.aligned {
		// It was not waited for; from now on it is.
		c.aligned = wm >= v.last
		return c.aligned && v.lowest(), false
	}
	return held && v.lowest(), false
}

// lowest says the lowest watermark of the aligned channels when it is higher than the last.
func (v *Valve) lowest() bool {
	low, found := int64(Max), v.open == 0
	for i := range v.channels {
		if c := &v.channels[i]; c.aligned && !c.idle && !c.ended {
			found = true
			low = min(low, c.watermark)
		}
	}
	if !found || low <= v.last {
		return false
	}
	v.last = low
	return true
}

// Status takes a channel's status; the results are those of Watermark.
func (v *Valve) Status(ch int, idle bool) (advanced, changed bool) {
	c := &v.channels[ch]
	if c.idle == idle || c.ended {
		return false, false
	}
	c.idle = idle
	if !idle {
		v.active++
		c.aligned = c.watermark >= v.last
		changed, v.idle = v.idle, false
		return false, changed
	}
	return v.left(c)
}

// End notes that a channel has ended: it is never waited for again. When all have, the watermark is Max.
func (v *Valve) End(ch int) (advanced, changed bool) {
	c := &v.channels[ch]
	if c.ended {
		return false, false
	}
	c.ended = true
	v.open--
	if c.idle {
		return v.open == 0 && v.lowest(), false
	}
	return v.left(c)
}

// left goes on without c, which was active.
func (v *Valve) left(c *channel) (advanced, changed bool) {
	v.active--
	if v.active > 0 || v.open == 0 {
		return v.lowest(), false
	}
	v.idle = true
	// Nobody is waited for any more: where c has held the others back, they have not to wait.
	if c.watermark == v.last {
		for i := range v.channels {
			if o := &v.channels[i]; o.watermark > v.last {
				v.last, advanced = o.watermark, true
			}
		}
	}
	return advanced, true
}
