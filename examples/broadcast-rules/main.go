// Command broadcast-rules is an example: payments are checked against rules that come in while the job runs. Every subtask gets
// every rule; what it remembers of them is broadcast state.
//
//	go run ./examples/broadcast-rules
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/weft-project/weft/stream"
)

// Payment is checked.
type Payment struct {
	Account string
	Cents   int64
}

// Rule forbids more than Cents at once, under a name; a rule without an amount removes that of its name.
type Rule struct {
	Name  string
	Cents int64
}

// Alert is a payment that breaks a rule.
type Alert struct {
	Rule    string
	Payment Payment
}

func alerts(env *stream.Env, payments *stream.Stream[Payment], rules *stream.Stream[Rule]) *stream.Stream[Alert] {
	declared := stream.DeclareBroadcast[string, Rule](env, "rules")
	byAccount := stream.KeyBy(payments, func(p Payment) string { return p.Account })
	return stream.KeyedBroadcastProcess(byAccount, rules, "check", func(k *stream.Keyed[string], emit func(Alert)) (func(Payment), func(Rule)) {
		known := declared.In(k)
		check := func(p Payment) {
			known.Each(func(name *string, r *Rule) {
				if p.Cents > r.Cents {
					emit(Alert{*name, p})
				}
			})
		}
		// All subtasks see the rules in the same order, and do the same with them: so they remember the same.
		learn := func(r Rule) {
			if r.Cents == 0 {
				known.Remove(r.Name)
				return
			}
			known.Put(r.Name, r)
		}
		return check, learn
	})
}

func main() {
	env := stream.New()
	rules := stream.FromSlice(env, "rules", []Rule{{"large", 100_000}}, stream.Parallelism(1))
	payments := stream.Generate(env, "payments", 100_000, func(i int64) Payment { return Payment{fmt.Sprint("account ", i%7), i * 2} })
	stream.Print(alerts(env, payments, rules), "alerts")
	if _, err := env.Execute(context.Background(), "Broadcast rules"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
