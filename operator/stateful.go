package operator

import "github.com/weft-project/weft/state"

// Stateful is an Operator that remembers something that a checkpoint keeps. Parts are there from Open on.
type Stateful interface {
	// KeyedState gives the parts that are written and read a key group at a time.
	KeyedState() []state.Part
	// OperatorState gives those that belong to no key, by name.
	OperatorState() map[string]state.OperatorPart
}

// Stateful gives the operators of the chain that remember something, by their ids.
func (ch *Chain) Stateful() map[string]Stateful {
	all := map[string]Stateful{}
	for _, o := range ch.operators {
		if s, ok := o.op.(Stateful); ok {
			all[ch.ctx.OpIDs[o.index]] = s
		}
	}
	return all
}

// KeyedState is Stateful's.
func (t *Timing[K, N]) KeyedState() []state.Part { return t.Keyed.Parts() }

// OperatorState is Stateful's.
func (t *Timing[K, N]) OperatorState() map[string]state.OperatorPart { return nil }

// OperatorState is Stateful's.
func (k *Keyed[K]) OperatorState() map[string]state.OperatorPart { return k.State.Parts() }

// KeyedState is Stateful's.
func (p *process) KeyedState() []state.Part { return nil }

// OperatorState is Stateful's.
func (p *process) OperatorState() map[string]state.OperatorPart { return p.State.Parts() }

// KeyedState is Stateful's.
func (r *reducer[K, T]) KeyedState() []state.Part { return []state.Part{r.part} }

// OperatorState is Stateful's.
func (r *reducer[K, T]) OperatorState() map[string]state.OperatorPart { return nil }
