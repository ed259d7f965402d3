// Command timers-and-state is an example: whoever has put something into the cart and not paid within ten minutes is reminded,
// once a day at most.
//
//	go run ./examples/timers-and-state
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/weft-project/weft/stream"
)

// Event is what a customer did at a time in milliseconds: Paid, or something put into the cart.
type Event struct {
	Customer string
	At       int64
	Item     string
	Paid     bool
}

// Reminder names what is in the cart of a customer.
type Reminder struct {
	Customer string
	Items    []string
}

const patience = 10 * time.Minute

func reminders(events *stream.Stream[Event]) *stream.Stream[Reminder] {
	timed := stream.AssignTimestamps(events, "time", stream.OutOfOrder(time.Second, func(e *Event) int64 { return e.At }))
	byCustomer := stream.KeyBy(timed, func(e Event) string { return e.Customer })

	// State is declared where the graph is built and belongs to the customer at hand. It expires by the clock.
	cart := stream.DeclareList[string](byCustomer, "cart")
	due := stream.DeclareValue[int64](byCustomer, "due")
	reminded := stream.DeclareValue[bool](byCustomer, "reminded", stream.TTL{After: 24 * time.Hour})

	return stream.KeyedProcess(byCustomer, "remind", func(k *stream.Keyed[string], emit func(Reminder)) func(Event) {
		cart, due, reminded := cart.In(k), due.In(k), reminded.In(k)
		k.OnTimer(func(stream.Timer) {
			if lately, _ := reminded.Get(); !lately {
				emit(Reminder{k.Key(), cart.Get()})
				reminded.Set(true)
			}
			due.Clear()
		})
		return func(e Event) {
			if at, ok := due.Get(); ok {
				k.DeleteTimer(at) // the customer is there
				due.Clear()
			}
			if e.Paid {
				cart.Clear()
				return
			}
			cart.Add(e.Item)
			at := e.At + patience.Milliseconds()
			due.Set(at)
			k.SetTimer(at)
		}
	})
}

func main() {
	env := stream.New()
	minute := time.Minute.Milliseconds()
	stream.Print(reminders(stream.FromSlice(env, "events", []Event{
		{"ann", 0, "tea", false}, {"bob", minute, "jam", false}, {"ann", 2 * minute, "", true}, {"bob", 3 * minute, "bread", false},
	}, stream.Parallelism(1))), "reminders")
	if _, err := env.Execute(context.Background(), "Timers and state"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
