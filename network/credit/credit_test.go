package credit

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// check verifies the invariants of doc.go.
func check(t *testing.T, g *Gate, floating int) {
	t.Helper()
	extra := 0
	for i := range g.channels {
		c := &g.channels[i]
		if !c.ended && c.total() < g.exclusive {
			t.Fatalf("C1: channel %d has %d buffers: %+v", i, c.total(), *c)
		}
		extra += max(c.total()-g.exclusive, 0)
		if c.heldBack > 0 && c.announced <= c.heldBack {
			t.Fatalf("C3: channel %d: %+v", i, *c)
		}
		if c.announced < 0 || c.heldBack < 0 || c.inUse < 0 {
			t.Fatalf("channel %d: %+v", i, *c)
		}
	}
	if extra+g.free != floating {
		t.Fatalf("C2: %d floating with channels, %d free: want %d", extra, g.free, floating)
	}
}

// due prints the credits that became due, as "channel+credits".
func due(g *Gate) string {
	var b strings.Builder
	for _, d := range g.TakeDue() {
		fmt.Fprintf(&b, "%d+%d ", d.Channel, d.Credits)
	}
	return strings.TrimSpace(b.String())
}

// A script: arrive channel/backlog, release channel, end channel; what becomes due after each step.
func TestGateScript(t *testing.T) {
	type step struct {
		op          string
		ch, backlog int
		due         string
	}
	for name, steps := range map[string][]step{
		"credits travel two at a time": {
			{"arrive", 0, 0, ""}, {"release", 0, 0, "0+1"}, // 1 announced, 1 held back: due
			{"arrive", 0, 0, ""}, {"arrive", 0, 0, ""}, {"release", 0, 0, "0+1"}, {"release", 0, 0, "0+1"},
		},
		"a backlog gets floating buffers, which go when it is gone": {
			{"arrive", 0, 3, "0+3"}, // 1 left + 3 floating = 4, wants 5: waits
			{"arrive", 0, 2, ""}, {"arrive", 0, 1, ""}, {"arrive", 0, 0, ""},
			{"release", 0, 0, "0+1"},                                            // back to 2 announced, as at the beginning
			{"release", 0, 0, ""}, {"release", 0, 0, ""}, {"release", 0, 0, ""}, // the floating ones
			{"arrive", 1, 3, "1+3"},
		},
		"who waits is served in turn": {
			{"arrive", 0, 9, "0+3"}, {"arrive", 1, 9, ""}, {"arrive", 2, 9, ""},
			{"release", 0, 9, ""}, // the only floating one of 0: to 0 itself, which asked first … and is held back
			{"arrive", 0, 9, ""}, {"release", 0, 9, "1+1"}, {"arrive", 0, 9, ""}, {"release", 0, 9, "2+1"},
		},
		"the end of a channel frees its floating buffers": {
			{"arrive", 0, 9, "0+3"}, {"arrive", 1, 5, ""}, {"end", 0, 0, "1+1 1+2"}, {"release", 0, 0, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewGate(3, 2, 3)
			for i, s := range steps {
				var err error
				switch s.op {
				case "arrive":
					err = g.Arrived(s.ch, s.backlog)
				case "release":
					err = g.Released(s.ch)
				case "end":
					g.Ended(s.ch)
				}
				if err != nil {
					t.Fatalf("step %d %+v: %v", i, s, err)
				}
				check(t, g, 3)
				if got := due(g); got != s.due {
					t.Errorf("step %d %+v: due %q", i, s, got)
				}
			}
		})
	}
}

func TestGateRefuses(t *testing.T) {
	g := NewGate(1, 1, 0)
	if err := g.Released(0); err == nil {
		t.Error("a release of nothing was accepted")
	}
	if err := g.Arrived(0, 0); err != nil {
		t.Fatal(err)
	}
	if err := g.Arrived(0, 0); err == nil {
		t.Error("C4: a buffer without credit was accepted")
	}
}

// Random producers and consumers: the invariants hold, and everything arrives (nobody waits for a credit for ever).
func TestGateRandom(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		n, exclusive, floating := 1+r.IntN(5), 1+r.IntN(3), r.IntN(6)
		g := NewGate(n, exclusive, floating)
		credit, todo, unreleased := make([]int, n), make([]int, n), make([]int, n)
		left := 0
		for i := range n {
			credit[i], todo[i] = exclusive, r.IntN(60)
			left += todo[i]
		}
		for steps := 0; left > 0; steps++ {
			if steps > 100_000 {
				t.Fatalf("seed %d: stuck with %d buffers to go: %+v", seed, left, g.channels)
			}
			ch := r.IntN(n)
			switch {
			case r.IntN(2) == 0 && todo[ch] > 0 && credit[ch] > 0:
				todo[ch]--
				credit[ch]--
				if err := g.Arrived(ch, min(todo[ch], r.IntN(20))); err != nil {
					t.Fatal(err)
				}
				unreleased[ch]++
			case unreleased[ch] > 0:
				unreleased[ch]--
				left--
				if err := g.Released(ch); err != nil {
					t.Fatal(err)
				}
				if todo[ch] == 0 && r.IntN(3) == 0 {
					g.Ended(ch)
				}
			}
			for _, d := range g.TakeDue() {
				credit[d.Channel] += d.Credits
			}
			check(t, g, floating)
		}
	}
}

func TestLimit(t *testing.T) {
	l := NewLimit(2, 2, 3)
	for range 5 {
		if !l.Take(0) {
			t.Fatal("refused within the bound")
		}
	}
	if l.Take(0) {
		t.Error("more than exclusive and floating")
	}
	if first, second := l.Take(1), l.Take(1); !first || !second || l.Take(1) {
		t.Error("the exclusive buffers of the other subpartition are not there, or more than these")
	}
	l.Give(0)
	if !l.May(1) || !l.Take(1) || l.May(1) {
		t.Error("a floating buffer that came back is for everybody")
	}
	for range 3 {
		l.Give(1)
	}
	for range 4 {
		l.Give(0)
	}
	if l.free != 3 || l.Used(0) != 0 || l.Used(1) != 0 {
		t.Errorf("not all came back: %+v", l)
	}
}
