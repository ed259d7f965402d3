package credit

import "fmt"

// Gate counts the buffers of one consumer's channels.
type Gate struct {
	exclusive int
	free      int // floating buffers that no channel has
	channels  []channel
	waiting   []int // open channels that want floating buffers, in the order they asked
	due       []Due
}

// Due is a number of credits to send on a channel.
type Due struct {
	Channel, Credits int
}

// channel is one channel's count.
type channel struct {
	announced, heldBack, inUse int
	backlog                    int
	waiting, ended             bool
}

// NewGate gives the count of a gate with n channels. Every channel begins with exclusive credits announced: they are
// part of the request for the channel.
func NewGate(n, exclusive, floating int) *Gate {
	g := &Gate{exclusive: exclusive, free: floating, channels: make([]channel, n)}
	for i := range g.channels {
		g.channels[i].announced = exclusive
	}
	return g
}

// total is what the channel has.
func (c *channel) total() int { return c.announced + c.heldBack + c.inUse }

// wants tells whether the channel could use another floating buffer: the producer has more to send than it has credits
// or will get back.
func (c *channel) wants(exclusive int) bool {
	return !c.ended && c.announced+c.heldBack < c.backlog+exclusive
}

// Arrived counts a buffer that came, with the backlog that the producer told.
func (g *Gate) Arrived(ch, backlog int) error {
	c := &g.channels[ch]
	if c.ended {
		return nil
	}
	if c.announced == 0 {
		return fmt.Errorf("channel %d: the producer sent a buffer without credit", ch)
	}
	c.announced--
	c.inUse++
	c.backlog = backlog
	for g.free > 0 && c.backlog > 0 && c.wants(g.exclusive) {
		g.free--
		c.heldBack++
	}
	if c.backlog > 0 && c.wants(g.exclusive) && !c.waiting {
		c.waiting = true
		g.waiting = append(g.waiting, ch)
	}
	g.announce(ch)
	return nil
}

// Released counts a buffer that the task gave back.
func (g *Gate) Released(ch int) error {
	c := &g.channels[ch]
	if c.inUse == 0 {
		return fmt.Errorf("channel %d: a buffer was released twice", ch)
	}
	floating := c.total() > g.exclusive
	c.inUse--
	switch {
	case c.ended:
		if floating {
			g.offer()
		}
	case floating:
		// Others may wait for it; otherwise offer gives it back to this one as long as it has a backlog.
		if c.backlog > 0 && c.wants(g.exclusive) && !c.waiting {
			c.waiting = true
			g.waiting = append(g.waiting, ch)
		}
		g.offer()
	default:
		c.heldBack++
		g.announce(ch)
	}
	return nil
}

// offer gives one floating buffer to the first channel that still wants one, else to the free ones.
func (g *Gate) offer() {
	for len(g.waiting) > 0 {
		ch := g.waiting[0]
		n := copy(g.waiting, g.waiting[1:])
		g.waiting = g.waiting[:n]
		c := &g.channels[ch]
		c.waiting = false
		if !c.wants(g.exclusive) {
			continue
		}
		c.heldBack++
		if c.wants(g.exclusive) {
			c.waiting = true
			g.waiting = append(g.waiting, ch)
		}
		g.announce(ch)
		return
	}
	g.free++
}

// announce makes a channel's credits due once holding them back any longer could slow the producer: when it has no more
// of them left than are held back.
func (g *Gate) announce(ch int) {
	c := &g.channels[ch]
	if c.heldBack == 0 || c.announced > c.heldBack {
		return
	}
	g.due = append(g.due, Due{ch, c.heldBack})
	c.announced += c.heldBack
	c.heldBack = 0
}

// Ended counts a channel whose producer sends no more, or that nobody reads any more. Its floating buffers go to the
// others, those in use when they are released.
func (g *Gate) Ended(ch int) {
	c := &g.channels[ch]
	if c.ended {
		return
	}
	spare := c.total() - max(c.inUse, g.exclusive)
	c.ended, c.announced, c.heldBack, c.backlog = true, 0, 0, 0
	for range max(spare, 0) {
		g.offer()
	}
}

// TakeDue gives the credits to be sent and forgets them; the slice is valid until the next call of any method.
func (g *Gate) TakeDue() []Due {
	d := g.due
	g.due = g.due[:0]
	return d
}
