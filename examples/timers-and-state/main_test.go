package main

import (
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

func TestReminders(t *testing.T) {
	const minute = 60_000
	h := streamtest.NewHarness(t)
	in := streamtest.NewInput[Event](h, "events")
	out := streamtest.Collect(reminders(in.Stream()), "reminders")
	h.Open()
	in.Push(Event{"ann", 0, "tea", false}, Event{"bob", 1 * minute, "jam", false}, Event{"ann", 2 * minute, "", true}, Event{"bob", 3 * minute, "bread", false})
	streamtest.Ordered(t, streamtest.Lists[string, string](h, "remind", "cart")["bob"], "jam", "bread")
	streamtest.Ordered(t, streamtest.Timers[string](h, "remind"), streamtest.Timer[string]{Key: "bob", At: 13 * minute})

	// Other customers let event time go on.
	in.Push(Event{"cid", 14 * minute, "", true})
	h.Advance(time.Second)
	streamtest.Ordered(t, out.Take(), Reminder{"bob", []string{"jam", "bread"}})

	// Within a day there is no second one.
	in.Push(Event{"bob", 20 * minute, "salt", false}, Event{"cid", 40 * minute, "", true})
	h.Advance(time.Second)
	streamtest.Ordered(t, out.Take())
	h.Advance(24 * time.Hour)
	in.Push(Event{"bob", 50 * minute, "rice", false}, Event{"cid", 70 * minute, "", true})
	h.Advance(time.Second)
	streamtest.Ordered(t, out.Take(), Reminder{"bob", []string{"jam", "bread", "salt", "rice"}})
}

// The job goes on from a snapshot with more subtasks.
func TestRemindersAfterRescaling(t *testing.T) {
	h := streamtest.NewHarness(t)
	in := streamtest.NewInput[Event](h, "events")
	streamtest.Collect(reminders(in.Stream()), "reminders")
	h.Open()
	in.Push(Event{"ann", 0, "tea", false}, Event{"bob", 0, "jam", false})

	more := streamtest.NewHarness(t, streamtest.Parallelism(3))
	in = streamtest.NewInput[Event](more, "events")
	out := streamtest.Collect(reminders(in.Stream()), "reminders")
	more.OpenFrom(h.Snapshot())
	more.Watermark(stream.MaxTime)
	streamtest.Unordered(t, out.Take(), Reminder{"ann", []string{"tea"}}, Reminder{"bob", []string{"jam"}})
}
