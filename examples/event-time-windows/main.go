// Command event-time-windows is an example: the mean temperature of each sensor and minute, by the time at which it was
// measured. Readings may come five seconds out of order; later ones correct a window for another minute, and those that are later
// still go to a side output.
//
//	go run ./examples/event-time-windows
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/weft-project/weft/stream"
)

// Reading is what a sensor has measured at a time in milliseconds.
type Reading struct {
	Sensor string
	At     int64
	Degree float64
}

// Mean is that of a sensor's readings in the minute that begins at From.
type Mean struct {
	Sensor string
	From   int64
	Degree float64
}

// sum is what a window keeps of the readings.
type sum struct {
	Degrees float64
	N       int
}

var mean = stream.Aggregate[Reading, sum, float64]{
	Add:    func(acc *sum, r *Reading) { acc.Degrees += r.Degree; acc.N++ },
	Result: func(acc *sum) float64 { return acc.Degrees / float64(acc.N) },
}

// means gives the means, and the readings that came too late for them.
func means(readings *stream.Stream[Reading]) (*stream.Stream[Mean], *stream.Stream[Reading]) {
	late := stream.NewSide[Reading]("late readings")
	timed := stream.AssignTimestamps(readings, "time", stream.OutOfOrder(5*time.Second, func(r *Reading) int64 { return r.At }))
	windows := stream.Window(stream.KeyBy(timed, func(r Reading) string { return r.Sensor }), stream.Tumbling(time.Minute)).
		AllowedLateness(time.Minute).LateTo(late)
	out := stream.AggregateWindowWith(windows, "mean", mean, func(c *stream.WindowContext[string], degree float64, emit func(Mean)) {
		emit(Mean{c.Key, c.Window.Start, degree})
	})
	return out, late.From(out)
}

func main() {
	env := stream.New()
	readings := stream.Generate(env, "readings", 1_000, func(i int64) Reading {
		return Reading{fmt.Sprint("sensor ", i%3), i * 1_000, float64(i % 20)}
	})
	perMinute, late := means(readings)
	stream.Print(perMinute, "means")
	stream.Print(late, "too late")
	if _, err := env.Execute(context.Background(), "Event-time windows"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
