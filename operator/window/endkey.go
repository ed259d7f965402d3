package window

import "github.com/weft-project/weft/eventtime"

// EndKey is KeyEnder's.
func (a *aligned[K, A]) EndKey() {
	a.advance(eventtime.Max)
	a.time = eventtime.None
}

// EndKey is KeyEnder's. What is left of windows that do not end goes too.
func (g *general[K, A]) EndKey() {
	g.Timing.EndKey()
	if k, h := g.Keyed.Key(), g.Keyed.Hash(); g.keys.Get(k, h) != nil {
		g.keys.Delete(k, h)
	}
}
