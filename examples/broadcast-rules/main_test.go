package main

import (
	"testing"

	"github.com/weft-project/weft/streamtest"
)

func TestAlerts(t *testing.T) {
	for _, parallelism := range []int{1, 3} {
		h := streamtest.NewHarness(t, streamtest.Parallelism(parallelism))
		payments := streamtest.NewInput[Payment](h, "payments")
		rules := streamtest.NewInput[Rule](h, "rules")
		out := streamtest.Collect(alerts(h.Env, payments.Stream(), rules.Stream()), "alerts")
		h.Open()
		payments.Push(Payment{"ann", 500})
		rules.Push(Rule{"large", 100}, Rule{"huge", 1_000})
		payments.Push(Payment{"ann", 50}, Payment{"ann", 500}, Payment{"bob", 5_000})
		streamtest.Unordered(t, out.Take(), Alert{"large", Payment{"ann", 500}}, Alert{"large", Payment{"bob", 5_000}}, Alert{"huge", Payment{"bob", 5_000}})
		rules.Push(Rule{"large", 0})
		payments.Push(Payment{"bob", 5_000})
		streamtest.Ordered(t, out.Take(), Alert{"huge", Payment{"bob", 5_000}})
	}
}
