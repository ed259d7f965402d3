package hdfsstate

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/checkpoint/restore"
	"github.com/weft-project/weft/checkpoint/schema"
)

// Verified is what Verify has read.
type Verified struct {
	Pieces int
	Bytes  int64
	// Problems are all that is wrong, each with its place.
	Problems []error
}

// Verify reads all state of a snapshot and compares every checksum. Its error is the file system's; what is damaged is in Problems.
func (s *Snapshot) Verify(ctx context.Context) (Verified, error) {
	var v Verified
	r := s.Reader()
	defer r.Close()
	for i := range s.Operators {
		op := &s.Operators[i]
		see := func(where string, h manifest.Handle, inside func([]byte) error) error {
			v.Pieces++
			b, err := r.Handle(ctx, h)
			if err == nil {
				v.Bytes += int64(len(b))
				err = inside(b)
			}
			if errors.Is(err, manifest.ErrDamaged) {
				v.Problems = append(v.Problems, fmt.Errorf("operator %q, %s: %w", op.Name, where, err))
				return nil
			}
			return err
		}
		whole := func([]byte) error { return nil }
		for _, sub := range op.Subtasks {
			for _, g := range sub.Keyed {
				where := fmt.Sprintf("subtask %d, key groups %d to %d", sub.Index, g.First, g.First+len(g.Pieces)-1)
				if err := see(where, g.Data, func(b []byte) error { return verifyGroups(g, b) }); err != nil {
					return v, err
				}
			}
			for _, l := range sub.Lists {
				if err := see(fmt.Sprintf("subtask %d, state %q", sub.Index, l.Name), l.Data, whole); err != nil {
					return v, err
				}
			}
		}
		if op.Coordinator != nil {
			if err := see("coordinator", *op.Coordinator, whole); err != nil {
				return v, err
			}
		}
	}
	return v, nil
}

func verifyGroups(g manifest.Groups, b []byte) error {
	for i, p := range g.Pieces {
		piece := b[:p.Length]
		b = b[p.Length:]
		if p.Length > 0 && manifest.Sum(piece) != p.Sum {
			return fmt.Errorf("%w state: key group %d has checksum %016x, expected %016x", manifest.ErrDamaged, g.First+i, manifest.Sum(piece), p.Sum)
		}
		if _, err := manifest.ReadGroup(piece); err != nil {
			return fmt.Errorf("key group %d: %w", g.First+i, err)
		}
	}
	return nil
}

// StateSize is how much there is of one named state.
type StateSize struct {
	manifest.State
	Bytes int64
	// Entries are keys, timers or elements; -1 where nobody can count them.
	Entries int64
}

// Sizes reads an operator's state and measures it by name.
func (s *Snapshot) Sizes(ctx context.Context, op *manifest.Operator) ([]StateSize, error) {
	sizes := map[string]*StateSize{}
	for _, st := range op.States {
		sizes[st.Name] = &StateSize{State: st}
	}
	add := func(name string, bytes, entries int64) {
		if sizes[name] == nil {
			sizes[name] = &StateSize{State: manifest.State{Name: name}}
		}
		z := sizes[name]
		if z.Bytes += bytes; entries < 0 || z.Entries < 0 {
			z.Entries = -1
		} else {
			z.Entries += entries
		}
	}
	err := s.parts(ctx, op, func(_ int, name string, part []byte) error {
		n := int64(-1)
		if count, used := binary.Uvarint(part[min(1, len(part)):]); used > 0 && part[0] == partVersion {
			n = int64(count)
		}
		add(name, int64(len(part)), n)
		return nil
	})
	for _, sub := range op.Subtasks {
		for _, l := range sub.Lists {
			add(l.Name, l.Data.Length, int64(len(l.Lengths)))
		}
	}
	var out []StateSize
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		out = append(out, *sizes[name])
	}
	return out, err
}

// partVersion is the first byte of what a state has written of a key group, and of broadcast state.
const partVersion = 1

// parts reads an operator's keyed state.
func (s *Snapshot) parts(ctx context.Context, op *manifest.Operator, each func(group int, name string, part []byte) error) error {
	r := s.Reader()
	defer r.Close()
	for _, sub := range op.Subtasks {
		for _, g := range sub.Keyed {
			err := r.Groups(ctx, restore.Range{First: g.First, Pieces: g.Pieces, Data: g.Data}, func(group int, parts map[string][]byte) error {
				for _, name := range slices.Sorted(maps.Keys(parts)) {
					if err := each(group, name, parts[name]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("operator %q, subtask %d: %w", op.Name, sub.Index, err)
			}
		}
	}
	return nil
}

// Entry is one entry of a state, as a line of JSON shows it.
type Entry struct {
	Operator string          `json:"operator"`
	State    string          `json:"state"`
	Group    *int            `json:"group,omitempty"`
	Subtask  *int            `json:"subtask,omitempty"`
	Key      json.RawMessage `json:"key,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`
	// Raw holds bytes that cannot be read, in base64, and Problem why not.
	Raw     string `json:"raw,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// Entries reads the states of an operator that want is true of, entry by entry.
func (s *Snapshot) Entries(ctx context.Context, op *manifest.Operator, want func(state string) bool, each func(Entry) error) error {
	label := op.UID
	if label == "" {
		label = op.Name
	}
	types := map[string]*types{}
	for _, st := range op.States {
		types[st.Name] = parseTypes(st)
	}
	err := s.parts(ctx, op, func(group int, name string, part []byte) error {
		if !want(name) {
			return nil
		}
		return types[name].entries(part, Entry{Operator: label, State: name, Group: &group}, each)
	})
	if err != nil {
		return err
	}
	r := s.Reader()
	defer r.Close()
	for _, sub := range op.Subtasks {
		for _, l := range sub.Lists {
			if !want(l.Name) {
				continue
			}
			elements, err := r.List(ctx, restore.List{Name: l.Name, Parts: []restore.Part{{List: l, End: len(l.Lengths)}}})
			if err != nil {
				return err
			}
			for _, e := range elements {
				if err := types[l.Name].element(e, Entry{Operator: label, State: l.Name, Subtask: &sub.Index}, each); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// types are those of a state, as far as they are known.
type types struct {
	kind       manifest.StateKind
	key, value *schema.Type
	err        error
}

func parseTypes(st manifest.State) *types {
	t := &types{kind: st.Kind}
	if st.Kind == manifest.Keyed && st.Key == "" || st.Value == "" {
		t.err = errors.New("its type was not stored")
		return t
	}
	if st.Key != "" {
		t.key, t.err = schema.Parse(st.Key)
	}
	if t.err == nil {
		t.value, t.err = schema.Parse(st.Value)
	}
	return t
}

// entries shows what a state has stored of a key group. What comes after bytes that cannot be read is shown as they are.
func (t *types) entries(part []byte, e Entry, each func(Entry) error) error {
	if t == nil || t.err != nil {
		return raw(t, part, e, each)
	}
	src := string(part)
	n, used := binary.Uvarint(part[min(1, len(part)):])
	if used <= 0 || part[0] != partVersion {
		t = &types{err: errors.New("it does not begin as states of this release do")}
		return raw(t, part, e, each)
	}
	pos := 1 + used
	for range n {
		at := pos
		var key, value []byte
		var err error
		if t.kind == manifest.Keyed {
			key, pos, err = t.key.JSON(nil, src, pos)
		}
		if err == nil {
			value, pos, err = t.value.JSON(nil, src, pos)
		}
		if err != nil {
			return raw(&types{err: err}, part[at:], e, each)
		}
		e.Key, e.Value = key, value
		if err := each(e); err != nil {
			return err
		}
		if pos == at { // values without bytes
			break
		}
	}
	return nil
}

// element shows one element of operator state.
func (t *types) element(b []byte, e Entry, each func(Entry) error) error {
	if t == nil || t.err != nil {
		return raw(t, b, e, each)
	}
	at := 0
	if t.kind == manifest.Broadcast && len(b) > 0 && b[0] == partVersion {
		at = 1
	}
	value, end, err := t.value.JSON(nil, string(b), at)
	if err == nil && end != len(b) {
		err = fmt.Errorf("%w: %d bytes follow", schema.ErrType, len(b)-end)
	}
	if err != nil {
		return raw(&types{err: err}, b, e, each)
	}
	e.Value = value
	return each(e)
}

func raw(t *types, b []byte, e Entry, each func(Entry) error) error {
	e.Raw = base64.StdEncoding.EncodeToString(b)
	e.Problem = "nothing is known of this state"
	if t != nil {
		e.Problem = t.err.Error()
	}
	return each(e)
}
