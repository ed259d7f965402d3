// Package streamtest is a driver: what authors test their jobs with. It runs the graph that package stream builds, on a clock
// that the test sets, and looks into it.
//
//   - A Harness runs operators step by step in the test's goroutine: the test gives records, watermarks and time to Inputs, and
//     reads outputs, side outputs, state and timers. It can be snapshotted, and opened again with another parallelism. What a
//     step causes has happened when the call returns, so nothing is waited for.
//   - Run runs a whole job on an embedded cluster: several workers in this process, each with a data plane of its own, so that
//     records are encoded and travel over TCP as on a cluster. Context does that for programs that call Execute themselves.
//   - Play is a source that plays scripts of records, watermarks and idleness, one script for each subtask.
//   - Collect gathers a stream, with timestamps and watermarks; Ordered, Unordered, OrderedByKey, OrderedByWatermark and OnTime
//     compare it.
//   - In a Harness and in Run each function of the author's is watched: one that changes a record that it does not own
//     fails the test, and the message names the operator and the field. AllowMutation switches that off.
//
// A test of a keyed process function, with a timer:
//
//	func TestReminders(t *testing.T) {
//		h := streamtest.NewHarness(t)
//		orders := streamtest.NewInput[Order](h, "orders")
//		out := streamtest.Collect(reminders(orders.Stream()), "reminders") // reminders is the job's function that adds operators
//		h.Open()
//		orders.At(1_000, Order{Customer: "ann"})
//		orders.Watermark(60_999)
//		streamtest.Ordered(t, out.Take()) // nothing yet
//		orders.Watermark(61_000)
//		streamtest.Ordered(t, out.Take(), Reminder{Customer: "ann"})
//	}
//
// Functions that are given to operators in a test may use variables of the test: all workers live in its process. Times are
// milliseconds since the epoch, as in package stream.
package streamtest
