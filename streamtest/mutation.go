package streamtest

import (
	"fmt"
	"reflect"

	"github.com/weft-project/weft/operator"
)

// keptRecords is how many of the records that an operator was given last are looked at again.
const keptRecords = 4

// mutation says that a function of the author's has changed a record that it does not own.
type mutation struct {
	operator string
	// what was changed: the record that it was given, or one before.
	what string
	difference
}

// Error names operator and field.
func (m *mutation) Error() string {
	field := "field " + m.path
	if m.path == "" {
		field = "its value"
	}
	return fmt.Sprintf("operator %q changed%s, which it does not own: %s was %s and is %s; copy what you change", m.operator, m.what, field, short(m.before), short(m.after))
}

// watchProgram has every operator watched.
func watchProgram(p *operator.Program) {
	for _, v := range p.Vertices {
		watchNode(v.Root, map[*operator.Node]bool{})
	}
}

func watchNode(n *operator.Node, seen map[*operator.Node]bool) {
	if seen[n] {
		return // another operator is chained to it, too
	}
	seen[n] = true
	factory := n.Factory
	n.Factory = func(c *operator.Context, op int, out any) (operator.Instance, error) {
		inst, err := factory(c, op, out)
		if err != nil {
			return inst, err
		}
		for i, in := range inst.Inputs {
			inst.Inputs[i] = newGuard(n.Name, in)
		}
		return inst, nil
	}
	for edge, mk := range n.KeyHashes {
		if mk != nil {
			n.KeyHashes[edge] = func() any { return guardKey(n.Name, mk()) }
		}
	}
	for _, c := range n.Chained {
		watchNode(c.Node, seen)
	}
}

// guard watches what one input of an operator is given. It belongs to the task's goroutine.
type guard struct {
	operator string
	kept     []watched
}

// watched is a record and what it was.
type watched struct {
	record reflect.Value
	leaves []leaf
}

func (w *watched) changed() (difference, bool) { return compare(w.leaves, leavesOf(w.record)) }

// newGuard puts a guard before an input, an operator.Emit[T].
func newGuard(name string, input any) any {
	f := reflect.ValueOf(input)
	if f.Kind() != reflect.Func || f.Type().NumIn() != 1 || f.Type().In(0).Kind() != reflect.Pointer {
		return input
	}
	g := &guard{operator: name}
	element := f.Type().In(0).Elem()
	keeps := refers(element, map[reflect.Type]bool{})
	return reflect.MakeFunc(f.Type(), func(args []reflect.Value) []reflect.Value {
		g.forget()
		now := watched{record: args[0].Elem()}
		now.leaves = leavesOf(now.record)
		var own reflect.Value
		if keeps { // the place is used again; what it refers to is what a function may have kept
			own = reflect.New(element).Elem()
			own.Set(args[0].Elem())
		}
		f.Call(args)
		g.check(&now)
		if keeps {
			if len(g.kept) == keptRecords {
				g.kept = g.kept[1:]
			}
			g.kept = append(g.kept, watched{own, now.leaves})
		}
		return nil
	}).Interface()
}

// forget drops the records that have changed since the operator was called last: their owner uses the memory again.
func (g *guard) forget() {
	left := g.kept[:0]
	for _, w := range g.kept {
		if _, changed := w.changed(); !changed {
			left = append(left, w)
		}
	}
	g.kept = left
}

// check looks at what the operator was given, after its call.
func (g *guard) check(now *watched) {
	if d, changed := now.changed(); changed {
		operator.Abort(operator.User(&mutation{g.operator, " a record that it was given", d}))
	}
	for i := range g.kept {
		if d, changed := g.kept[i].changed(); changed {
			operator.Abort(operator.User(&mutation{g.operator, " a record that it was given earlier and has kept", d}))
		}
	}
}

// guardKey watches a key or partitioning function, whose first argument is a pointer to the record.
func guardKey(name string, of any) any {
	f := reflect.ValueOf(of)
	if f.Kind() != reflect.Func || !refers(f.Type().In(0).Elem(), map[reflect.Type]bool{}) {
		return of
	}
	return reflect.MakeFunc(f.Type(), func(args []reflect.Value) []reflect.Value {
		w := watched{record: args[0].Elem()}
		w.leaves = leavesOf(w.record)
		out := f.Call(args)
		if d, changed := w.changed(); changed {
			operator.Abort(operator.User(&mutation{name, ", by a key or partitioning function, a record that it has emitted", d}))
		}
		return out
	}).Interface()
}
