package operator

import "github.com/weft-project/weft/codec"

// Emit hands one record on. The pointee is the caller's and is valid for the call.
type Emit[T any] func(v *T)

// Type is the plumbing of one element type: how its records fan out, leave for another task and arrive from one. It is
// made once, while the graph is built, and hides T behind methods that take and give typed functions as any, at set-up
// time only.
type Type interface {
	// Name is the element type as Go prints it.
	Name() string
	// Fan joins several Emit[T] into one; with mutable values each receiver but the last gets its own clone.
	Fan(outs []any, objectReuse bool) (any, error)
	// NewWriter makes the sending end of an edge: an Emit[T] and its Flusher.
	NewWriter(cfg WriterConfig) (emit any, w Writer, err error)
	// NewReader makes the receiving end, which calls emit (an Emit[T]) for each record. Before that it sets *time to the
	// record's timestamp: where timed is false, to none.
	NewReader(emit any, time *int64, timed bool) (Reader, error)
}

// TypeOf compiles the plumbing of T. The error names the field that cannot be encoded.
func TypeOf[T any]() (Type, error) {
	c, err := codec.Of[T]()
	if err != nil {
		return nil, err
	}
	return &typeOf[T]{codec: c}, nil
}

type typeOf[T any] struct{ codec *codec.Codec[T] }

// Name is Type's.
func (t *typeOf[T]) Name() string { return t.codec.Type() }

// Fan is Type's.
func (t *typeOf[T]) Fan(outs []any, objectReuse bool) (any, error) {
	emits := make([]Emit[T], len(outs))
	for i, o := range outs {
		e, err := emitOf[T](o)
		if err != nil {
			return nil, err
		}
		emits[i] = e
	}
	switch len(emits) {
	case 0:
		return Emit[T](func(*T) {}), nil
	case 1:
		return emits[0], nil
	}
	clone := t.codec.Cloner()
	if objectReuse {
		clone = nil
	}
	last := emits[len(emits)-1]
	slot := new(T)
	return Emit[T](func(v *T) {
		for _, e := range emits[:len(emits)-1] {
			*slot = *v // a copy, so that a receiver that changes the record in place does not change it for the others
			if clone != nil {
				clone(slot)
			}
			e(slot)
		}
		last(v)
	}), nil
}
