package worker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/checkpoint/restore"
	"github.com/weft-project/weft/checkpoint/schema"
	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/state"
)

// runFinished is the life of a task that had come to its end in the checkpoint that the job goes on from.
func (t *task) runFinished() error {
	t.report(controlpb.ExecutionState_STATE_RUNNING, nil)
	for _, p := range t.partitions {
		for i := range p.Subs() {
			if err := p.Sub(i).SendEvent(network.Event{Kind: network.EndOfPartition}); err != nil {
				return operator.External(err)
			}
		}
	}
	return nil
}

// restore gives all operators their state back.
func (t *task) restore() error {
	r := t.td.GetRestore()
	if r == nil {
		return nil
	}
	err := t.readState(r)
	if err == nil {
		return t.chain.Restored()
	}
	if errors.Is(err, manifest.ErrDamaged) {
		t.answer(checkpoint.Ref{Epoch: r.GetEpoch(), ID: r.GetId()}, controlpb.CheckpointAnswer_CHECKPOINT_DAMAGED, err.Error())
	}
	err = fmt.Errorf("restore from %s: %w", r.GetPath(), err)
	var marked *operator.Failure
	if errors.As(err, &marked) {
		return err
	}
	var coder *codec.CoderError
	if errors.As(err, &coder) {
		return operator.External(err) // which makes it the author's
	}
	return &operator.Failure{Domain: planpb.FailureDomain_EXTERNAL, Err: err} // the world's or, where it is damaged, another checkpoint's matter
}

func (t *task) readState(r *controlpb.TaskRestore) error {
	ops, err := manifest.DecodeSnapshot(r.GetOperators())
	if err != nil {
		return operator.External(err)
	}
	reader, err := t.stateReader(r)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }() // only read from
	stateful := t.chain.Stateful()
	cuts := r.GetElements()
	for i := range ops {
		op := &ops[i]
		x := restoring{t: t, op: op, reader: reader, s: stateful[op.ID], converters: map[string]*schema.Converter{}, lists: map[string][][]byte{}}
		for _, sub := range op.Subtasks {
			if err := x.keyed(sub.Keyed); err != nil {
				return fmt.Errorf("operator %q: %w", op.Name, err)
			}
			if len(cuts) < len(sub.Lists) {
				return fmt.Errorf("operator %q: the restore lists %d elements of %d lists", op.Name, len(cuts), len(sub.Lists))
			}
			if err := x.operator(sub.Lists, cuts); err != nil {
				return fmt.Errorf("operator %q: %w", op.Name, err)
			}
			cuts = cuts[len(sub.Lists):]
		}
	}
	return nil
}

func (t *task) stateReader(r *controlpb.TaskRestore) (*hdfsstate.StateReader, error) {
	store, root, err := t.r.cfg.Files.Get(r.GetRoot())
	if err != nil {
		return nil, err
	}
	return hdfsstate.NewStateReader(store, root), nil
}

// restoring is one operator that gets its state back.
type restoring struct {
	t          *task
	op         *manifest.Operator
	reader     *hdfsstate.StateReader
	s          operator.Stateful // nil where the operator remembers nothing any more
	converters map[string]*schema.Converter
	lists      map[string][][]byte
}

// undeclared refuses state that the operator does not have any more, or leaves it out where that is allowed.
func (x *restoring) undeclared(name string) error {
	if !x.t.r.settings.AllowNonRestored {
		return operator.User(fmt.Errorf("state %q was stored and is not declared any more; start with --allowNonRestoredState to leave it out", name))
	}
	return nil
}

// converter compares the types of a state; nil where they are the same or not known.
func (x *restoring) converter(name string, now state.Description) (*schema.Converter, error) {
	if c, known := x.converters[name]; known {
		return c, nil
	}
	var c *schema.Converter
	for _, was := range x.op.States {
		if was.Name != name || was.Value == "" || now.Value == "" {
			continue
		}
		if was.Key != now.Key {
			return nil, operator.User(fmt.Errorf("state %q was stored with keys of type %s, and has keys of type %s now", name, was.Key, now.Key))
		}
		var err error
		if c, err = schema.NewConverter(was.Value, now.Value); err != nil {
			return nil, operator.User(fmt.Errorf("state %q cannot be read with its new type: %w", name, err))
		}
	}
	x.converters[name] = c
	return c, nil
}

// keyed reads key groups.
func (x *restoring) keyed(groups []manifest.Groups) error {
	parts := map[string]state.Part{}
	if x.s != nil {
		for _, p := range x.s.KeyedState() {
			parts[p.Name()] = p
		}
	}
	for _, g := range groups {
		err := x.reader.Groups(x.t.ctx, restore.Range{First: g.First, Pieces: g.Pieces, Data: g.Data}, func(group int, stored map[string][]byte) error {
			for name, b := range stored {
				p := parts[name]
				if p == nil {
					if err := x.undeclared(name); err != nil {
						return err
					}
					continue
				}
				d := state.Describe(p)
				c, err := x.converter(name, d)
				if err == nil && c != nil {
					b, err = convertPart(c, d, b)
				}
				if err == nil {
					err = p.Restore(group, string(b))
				}
				if err != nil {
					return fmt.Errorf("state %q, key group %d: %w", name, group, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// convertPart changes the values of a key group's entries.
func convertPart(c *schema.Converter, d state.Description, b []byte) ([]byte, error) {
	if len(b) < 2 {
		return nil, fmt.Errorf("%w state: %d bytes", manifest.ErrDamaged, len(b))
	}
	n, used := binary.Uvarint(b[1:])
	if used <= 0 {
		return nil, fmt.Errorf("%w state: its count is cut short", manifest.ErrDamaged)
	}
	out := append([]byte(nil), b[:1+used]...)
	src, pos := string(b), 1+used
	var key *schema.Type
	if d.Kind == state.KeyValues {
		var err error
		if key, err = schema.Parse(d.Key); err != nil {
			return nil, err
		}
	}
	for range n {
		if key != nil {
			_, end, err := key.JSON(nil, src, pos)
			if err != nil {
				return nil, err
			}
			out = append(out, src[pos:end]...)
			pos = end
		}
		var err error
		if out, pos, err = c.Convert(out, src, pos); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// operator reads operator state.
func (x *restoring) operator(lists []manifest.List, cuts []*controlpb.ElementRange) error {
	parts := map[string]state.OperatorPart{}
	if x.s != nil {
		parts = x.s.OperatorState()
	}
	var order []string
	for i, l := range lists {
		elements, err := x.reader.List(x.t.ctx, restore.List{Name: l.Name, Parts: []restore.Part{{List: l, From: int(cuts[i].GetFrom()), End: int(cuts[i].GetEnd())}}})
		if err != nil {
			return err
		}
		if _, seen := x.lists[l.Name]; !seen {
			order = append(order, l.Name)
		}
		x.lists[l.Name] = append(x.lists[l.Name], elements...)
	}
	for _, name := range order {
		p := parts[name]
		if p == nil {
			if err := x.undeclared(name); err != nil {
				return err
			}
			continue
		}
		elements, err := x.converted(name, p)
		if err == nil {
			err = p.Restore(elements)
		}
		if err != nil {
			return fmt.Errorf("state %q: %w", name, err)
		}
	}
	return nil
}

// converted gives the elements of a list with their new type.
func (x *restoring) converted(name string, p state.OperatorPart) ([][]byte, error) {
	c, err := x.converter(name, state.Describe(p))
	if err != nil || c == nil {
		return x.lists[name], err
	}
	out := make([][]byte, 0, len(x.lists[name]))
	for _, e := range x.lists[name] {
		at := 0
		if p.Redistribution() == state.Broadcast {
			at = min(1, len(e)) // a version before the table
		}
		b, _, err := c.Convert(append([]byte(nil), e[:at]...), string(e), at)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// coordinatorRestore is what the coordinators go on from.
func (t *task) coordinatorRestore() (map[string]operator.CoordinatorRestore, error) {
	r := t.td.GetRestore()
	if r == nil {
		return nil, nil
	}
	out := map[string]operator.CoordinatorRestore{}
	for _, e := range r.GetEnded() {
		var c operator.CoordinatorRestore
		for _, s := range e.GetSubtasks() {
			c.Finished = append(c.Finished, int(s))
		}
		out[e.GetOperatorId()] = c
	}
	ops, err := manifest.DecodeSnapshot(r.GetOperators())
	if err != nil {
		return nil, operator.External(err)
	}
	reader, err := t.stateReader(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }() // only read from
	for i := range ops {
		if h := ops[i].Coordinator; h != nil {
			c := out[ops[i].ID]
			if c.State, err = reader.Handle(t.ctx, *h); err != nil {
				if errors.Is(err, manifest.ErrDamaged) {
					t.answer(checkpoint.Ref{Epoch: r.GetEpoch(), ID: r.GetId()}, controlpb.CheckpointAnswer_CHECKPOINT_DAMAGED, err.Error())
				}
				return nil, operator.External(fmt.Errorf("restore from %s: coordinator of operator %q: %w", r.GetPath(), ops[i].Name, err))
			}
			out[ops[i].ID] = c
		}
	}
	return out, nil
}
