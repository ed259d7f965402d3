package main

import (
	"testing"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

func TestJoins(t *testing.T) {
	const hour = 3_600_000
	env := stream.New()
	orders := stream.FromSlice(env, "orders", []Order{{"a", 5, 10 * hour}, {"b", 7, 10 * hour}, {"c", 9, 23 * hour}})
	payments := stream.FromSlice(env, "payments", []Payment{
		{"a", 5, 11 * hour},   // an hour later: still in time
		{"a", 1, 9 * hour},    // before the order
		{"b", 7, 11*hour + 1}, // a moment too late for the interval
		{"c", 9, 24 * hour},   // on the next day, within an hour
		{"d", 11, 12 * hour},  // of no order
	})
	o, p := timed(orders, payments)
	interval := streamtest.Collect(withinAnHour(o, p), "interval")
	day := streamtest.Collect(onTheSameDay(o, p), "day")
	streamtest.Run(t, env)
	streamtest.Unordered(t, interval.Values(), Paid{"a", 5, hour}, Paid{"c", 9, hour})
	streamtest.Unordered(t, day.Values(), Paid{"a", 5, hour}, Paid{"a", 1, -hour}, Paid{"b", 7, hour + 1})
}
