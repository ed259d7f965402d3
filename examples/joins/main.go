// Command joins is an example: orders are joined with their payments in two ways. An interval join finds the payment that came
// within an hour of its order, a window join puts both into the same day.
//
//	go run ./examples/joins
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/weft-project/weft/stream"
)

// Order is made at a time in milliseconds.
type Order struct {
	ID    string
	Cents int64
	At    int64
}

// Payment is one for an order.
type Payment struct {
	Order string
	Cents int64
	At    int64
}

// Paid is an order and how much was paid, how many milliseconds later.
type Paid struct {
	Order string
	Cents int64
	After int64
}

// timed puts both streams on event time.
func timed(orders *stream.Stream[Order], payments *stream.Stream[Payment]) (*stream.KeyedStream[string, Order], *stream.KeyedStream[string, Payment]) {
	o := stream.AssignTimestamps(orders, "time of orders", stream.OutOfOrder(time.Minute, func(o *Order) int64 { return o.At }))
	p := stream.AssignTimestamps(payments, "time of payments", stream.OutOfOrder(time.Minute, func(p *Payment) int64 { return p.At }))
	return stream.KeyBy(o, func(o Order) string { return o.ID }), stream.KeyBy(p, func(p Payment) string { return p.Order })
}

// withinAnHour joins each order with the payments that came up to an hour after it.
func withinAnHour(orders *stream.KeyedStream[string, Order], payments *stream.KeyedStream[string, Payment]) *stream.Stream[Paid] {
	return stream.IntervalJoin(orders, payments, 0, time.Hour, "within an hour", func(o Order, p Payment, emit func(Paid)) {
		emit(Paid{o.ID, p.Cents, p.At - o.At})
	})
}

// onTheSameDay joins each order with the payments of the same day, before or after it.
func onTheSameDay(orders *stream.KeyedStream[string, Order], payments *stream.KeyedStream[string, Payment]) *stream.Stream[Paid] {
	return stream.JoinWindow(stream.CoWindow(orders, payments, stream.Tumbling(24*time.Hour)), "on the same day", func(o Order, p Payment) Paid {
		return Paid{o.ID, p.Cents, p.At - o.At}
	})
}

func main() {
	env := stream.New()
	minute := time.Minute.Milliseconds()
	orders := stream.Generate(env, "orders", 10, func(i int64) Order { return Order{fmt.Sprint("order ", i), 100 * i, i * minute} })
	payments := stream.Generate(env, "payments", 10, func(i int64) Payment { return Payment{fmt.Sprint("order ", i), 100 * i, i * 10 * minute} })
	o, p := timed(orders, payments)
	stream.Print(withinAnHour(o, p), "print within an hour")
	stream.Print(onTheSameDay(o, p), "print on the same day")
	if _, err := env.Execute(context.Background(), "Joins"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
