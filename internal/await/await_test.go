package await

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestUntil(t *testing.T) {
	var n atomic.Int32
	go func() {
		for n.Load() < 100 {
			n.Add(1)
		}
	}()
	Until(t, "a hundred", func() bool { return n.Load() >= 100 })
}

func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if within(Patience, func() bool { return false }) {
			t.Error("what never holds held")
		}
		if waited := time.Since(began); waited != Patience {
			t.Errorf("waited %s", waited)
		}
		if !within(time.Minute, func() bool { return time.Since(began) >= Patience+time.Minute }) {
			t.Error("what holds at the last moment did not")
		}
	})
}
