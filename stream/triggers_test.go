package stream_test

import (
	"testing"

	"github.com/weft-project/weft/stream"
)

// everyThird fires for each record divisible by three.
type everyThird struct{ stream.QuietTrigger }

// What Flink's documentation says of triggers, a statement a test.
func TestTriggers(t *testing.T) {
	type windowed = *stream.Windowed[string, ev]
	trigger := func(tr stream.Trigger) func(w windowed) windowed {
		return func(w windowed) windowed { return w.Trigger(tr) }
	}
	playAll(t, []windowCase{
		{"a count trigger fires for every n records and keeps the content", stream.Tumbling(10 * ms), trigger(stream.OnCount(2)), func(b *bench) {
			b.ev("a", 1, 1)
			b.ev("a", 2, 2)
			b.expect("a [0 10) 3 @9")
			b.ev("a", 4, 3)
			b.ev("a", 8, 3)
			b.expect("a [0 10) 15 @9")
			b.ev("a", 16, 3)
			b.end() // replacing the trigger replaces firing at the end
			b.expect()
		}},
		{"a purging trigger drops the content when it fires", stream.Tumbling(10 * ms), trigger(stream.Purging(stream.OnCount(2))), func(b *bench) {
			b.ev("a", 1, 1)
			b.ev("a", 2, 2)
			b.ev("a", 4, 3)
			b.ev("a", 8, 3)
			b.expect("a [0 10) 3 @9", "a [0 10) 12 @9")
		}},
		{"a purged window without new records does not fire again", stream.Tumbling(10 * ms), func(w windowed) windowed {
			return w.Trigger(stream.Purging(stream.OnEventTime())).AllowedLateness(10 * ms)
		}, func(b *bench) {
			b.ev("a", 1, 1)
			b.watermark(9)
			b.expect("a [0 10) 1 @9")
			b.ev("a", 2, 1)
			b.expect("a [0 10) 2 @9") // of the late record alone
			b.end()
			b.expect()
		}},
		{"a continuous trigger fires at each interval of event time and at the end", stream.Tumbling(10 * ms), trigger(stream.EveryEventTime(4 * ms)), func(b *bench) {
			b.ev("a", 1, 1)
			b.watermark(3)
			b.expect()
			b.watermark(4)
			b.expect("a [0 10) 1 @9")
			b.ev("a", 2, 5)
			b.watermark(8)
			b.expect("a [0 10) 3 @9")
			b.watermark(9)
			b.expect("a [0 10) 3 @9")
		}},
		{"a continuous trigger of processing time fires by the clock", stream.Tumbling(1000 * ms), trigger(stream.EveryProcessingTime(100 * ms)), func(b *bench) {
			b.time(30)
			b.ev("a", 1, 5)
			b.time(99)
			b.expect()
			b.time(100)
			b.expect("a [0 1000) 1 @999")
			b.ev("a", 2, 5)
			b.time(200)
			b.expect("a [0 1000) 3 @999")
		}},
		{"an event-time trigger makes a global window fire at the end of all time", stream.GlobalWindow(), trigger(stream.OnEventTime()), func(b *bench) {
			b.ev("a", 1, 5)
			b.watermark(1 << 50)
			b.expect()
			b.end()
			b.expect(count("a", 1))
		}},
		{"windows of processing time end by the clock", stream.Tumbling(10 * ms).InProcessingTime(), nil, func(b *bench) {
			b.time(5)
			b.ev("a", 1, 100)
			b.time(9)
			b.ev("a", 2, 0)
			b.expect()
			b.time(10)
			b.expect("a [0 10) 3 @9")
			b.ev("a", 4, 0)
			b.watermark(1000) // event time does not matter
			b.time(100)
			b.expect("a [10 20) 4 @19")
			b.ev("a", 8, 0)
			b.end() // windows that are open at the end are dropped
			b.expect()
		}},
		{"sliding windows of processing time share their records", stream.Sliding(10*ms, 5*ms).InProcessingTime(), nil, func(b *bench) {
			b.time(7)
			b.ev("a", 1, 0)
			b.time(12)
			b.ev("a", 2, 0)
			b.time(100)
			b.expect("a [0 10) 1 @9", "a [5 15) 3 @14", "a [10 20) 2 @19")
		}},
		{"sessions of processing time end by the clock", stream.Session(10 * ms).InProcessingTime(), nil, func(b *bench) {
			b.time(100)
			b.ev("a", 1, 0)
			b.time(105)
			b.ev("a", 2, 0)
			b.time(112)
			b.expect()
			b.time(115)
			b.expect("a [100 115) 3 @114")
		}},
		{"a count trigger of sessions adds up the counts of sessions that are joined", stream.Session(10 * ms), trigger(stream.OnCount(3)), func(b *bench) {
			b.ev("a", 1, 0)
			b.ev("a", 2, 15)
			b.expect()
			b.ev("a", 4, 8)
			b.expect("a [0 25) 7 @24")
		}},
		{"a continuous trigger of sessions goes on when they are joined", stream.Session(10 * ms), trigger(stream.EveryEventTime(100 * ms)), func(b *bench) {
			b.ev("a", 1, 90)
			b.ev("a", 2, 95)
			b.watermark(100)
			b.expect("a [90 105) 3 @104")
			b.watermark(104)
			b.expect("a [90 105) 3 @104")
		}},
		{"a trigger of one's own sees the records", stream.Tumbling(10 * ms), func(w windowed) windowed {
			return w.TriggerOn(func(v *ev, _ int64, _ stream.TimeWindow, c *stream.TriggerContext) stream.TriggerResult {
				if v.N%3 == 0 {
					c.SetTimer(7)
					return stream.FireAndPurge
				}
				return stream.Continue
			}, everyThird{})
		}, func(b *bench) {
			b.ev("a", 1, 1)
			b.ev("a", 3, 1)
			b.expect("a [0 10) 4 @9")
			b.end()
			b.expect()
		}},
	})
}
