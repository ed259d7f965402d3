package main

import (
	"testing"
	"time"

	"github.com/weft-project/weft/streamtest"
)

func TestMeans(t *testing.T) {
	h := streamtest.NewHarness(t)
	in := streamtest.NewInput[Reading](h, "readings")
	perMinute, tooLate := means(in.Stream())
	out, late := streamtest.Collect(perMinute, "means"), streamtest.Collect(tooLate, "late")
	h.Open()
	// Watermarks are made of the readings, every 200 ms by the clock.
	at := func(second int64, degree float64) {
		in.Push(Reading{"a", second * 1_000, degree})
		h.Advance(200 * time.Millisecond)
	}
	at(10, 20)
	at(62, 50)
	at(58, 22) // four seconds out of order: in time
	streamtest.Ordered(t, out.Take())
	at(66, 50) // now a minute and five seconds have passed
	streamtest.Ordered(t, out.Take(), Mean{"a", 0, 21})
	at(30, 24) // late: the window is corrected
	streamtest.Ordered(t, out.Take(), Mean{"a", 0, 22})
	at(126, 50)
	streamtest.Ordered(t, out.Take(), Mean{"a", 60_000, 50})
	at(31, 99) // its window has gone
	streamtest.Ordered(t, out.Take())
	streamtest.Ordered(t, late.Values(), Reading{"a", 31_000, 99})
}
