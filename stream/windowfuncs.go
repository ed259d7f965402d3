package stream

import (
	"github.com/weft-project/weft/codec"
)

// keeper gives the function that makes a record fit to be kept; nil where there is nothing to do. What can not be encoded
// has been refused when the stream was made.
func keeper[T any]() func(*T) {
	c, err := codec.Of[T]()
	if err != nil {
		return nil
	}
	return c.Keeper()
}

// own wraps add so that it is given a copy of the record that it may keep, where accumulators can keep something.
func own[A, T any](add func(acc *A, v *T)) func() func(acc *A, v *T) {
	keep := keeper[T]()
	if keep == nil || keeper[A]() == nil {
		return func() func(acc *A, v *T) { return add }
	}
	return func() func(acc *A, v *T) {
		slot := new(T)
		return func(acc *A, v *T) {
			*slot = *v
			keep(slot)
			add(acc, slot)
		}
	}
}

// ReduceWindow joins the records of each key and window. fn must be associative.
func ReduceWindow[K comparable, T any](w *Windowed[K, T], name string, fn func(acc, v T) T, opts ...Option) *Stream[T] {
	return ReduceWindowWith(w, name, fn, func(_ *WindowContext[K], v T, emit func(T)) { emit(v) }, opts...)
}

// ReduceWindowWith is ReduceWindow with a function that makes of each result what is emitted, knowing key and window.
func ReduceWindowWith[K comparable, T, O any](w *Windowed[K, T], name string, fn func(acc, v T) T,
	result func(c *WindowContext[K], v T, emit func(O)), opts ...Option) *Stream[O] {
	return reduceWindow(w, name, "reduce", func(acc, v *T) { *acc = fn(*acc, *v) }, result, opts)
}

// ReduceWindowRef is ReduceWindow for large records: fn changes acc in place.
func ReduceWindowRef[K comparable, T any](w *Windowed[K, T], name string, fn func(acc, v *T), opts ...Option) *Stream[T] {
	return reduceWindow(w, name, "reduce", fn, func(_ *WindowContext[K], v T, emit func(T)) { emit(v) }, opts)
}

func reduceWindow[K comparable, T, O any](w *Windowed[K, T], name, kind string, fold func(acc, v *T),
	result func(c *WindowContext[K], v T, emit func(O)), opts []Option) *Stream[O] {
	if w.listed() {
		return records(w, name, kind, each(func(c *WindowContext[K], vs []T, emit func(O)) {
			if len(vs) == 0 {
				return // an evictor left none
			}
			acc := vs[0]
			for i := range vs[1:] {
				fold(&acc, &vs[i+1])
			}
			result(c, acc, emit)
		}), opts)
	}
	keep := keeper[T]()
	owned := own(fold)
	return windowed(w, func() func(acc, v *T, fresh bool) {
		add := owned()
		return func(acc, v *T, fresh bool) {
			if !fresh {
				add(acc, v)
				return
			}
			*acc = *v
			if keep != nil {
				keep(acc)
			}
		}
	}, gather[K, T, O]{name: name, kind: kind, merge: fold, opts: opts,
		emit: func(c *WindowContext[K], acc *T, emit func(O)) { result(c, *acc, emit) }})
}

// AggregateWindow has an accumulator for each key and window.
func AggregateWindow[K comparable, T, A, R any](w *Windowed[K, T], name string, a Aggregate[T, A, R], opts ...Option) *Stream[R] {
	return AggregateWindowWith(w, name, a, func(_ *WindowContext[K], r R, emit func(R)) { emit(r) }, opts...)
}

// AggregateWindowWith is AggregateWindow with a function that makes of each result what is emitted, knowing key and window.
func AggregateWindowWith[K comparable, T, A, R, O any](w *Windowed[K, T], name string, a Aggregate[T, A, R],
	result func(c *WindowContext[K], r R, emit func(O)), opts ...Option) *Stream[O] {
	if w.listed() {
		return records(w, name, "aggregate", each(func(c *WindowContext[K], vs []T, emit func(O)) {
			var acc A
			for i := range vs {
				a.Add(&acc, &vs[i])
			}
			result(c, a.Result(&acc), emit)
		}), opts)
	}
	owned := own(a.Add)
	return windowed(w, func() func(acc *A, v *T, _ bool) {
		add := owned()
		return func(acc *A, v *T, _ bool) { add(acc, v) }
	}, gather[K, A, O]{name: name, kind: "aggregate", merge: a.Merge, opts: opts,
		emit: func(c *WindowContext[K], acc *A, emit func(O)) { result(c, a.Result(acc), emit) }})
}

// ProcessWindow gives all records of a key and window to fn at once. The window keeps every one of them: where a reduce or
// an aggregate does, it needs far less memory.
func ProcessWindow[K comparable, T, O any](w *Windowed[K, T], name string, fn func(c *WindowContext[K], vs []T, emit func(O)), opts ...Option) *Stream[O] {
	return records(w, name, "process", each(fn), opts)
}

// ProcessWindowWith is ProcessWindow with a function made for each subtask, which may have counters and side outputs.
func ProcessWindowWith[K comparable, T, O any](w *Windowed[K, T], name string,
	open func(c *Context, emit func(O)) func(c *WindowContext[K], vs []T), opts ...Option) *Stream[O] {
	return records(w, name, "process", open, opts)
}

// listed tells whether the windows keep their records, whatever function is applied to them.
func (w *Windowed[K, T]) listed() bool { return w.assigner.last > 0 || w.evictor != nil }

// each makes one function for all subtasks.
func each[K comparable, T, O any](fn func(c *WindowContext[K], vs []T, emit func(O))) func(*Context, func(O)) func(*WindowContext[K], []T) {
	return func(_ *Context, emit func(O)) func(*WindowContext[K], []T) {
		return func(c *WindowContext[K], vs []T) { fn(c, vs, emit) }
	}
}

// records keeps the records of windows: all of them, the last of each key, or those that an evictor leaves.
func records[K comparable, T, O any](w *Windowed[K, T], name, kind string, open func(*Context, func(O)) func(*WindowContext[K], []T), opts []Option) *Stream[O] {
	if w.evictor != nil {
		return evictedRecords(w, name, kind, open, opts)
	}
	add := appending(keeper[T]())
	if w.assigner.last > 0 {
		add = appendingLast(w.assigner.last, keeper[T]())
	}
	return windowed(w, add, gather[K, []T, O]{name: name, kind: kind, opts: opts,
		merge: func(acc, other *[]T) { *acc = append(*acc, *other...) },
		open: func(c *Context, emit func(O)) func(*WindowContext[K], *[]T) {
			fn := open(c, emit)
			return func(f *WindowContext[K], acc *[]T) { fn(f, *acc) }
		}})
}

func appending[T any](keep func(*T)) func() func(acc *[]T, v *T, fresh bool) {
	return func() func(acc *[]T, v *T, fresh bool) {
		return func(acc *[]T, v *T, _ bool) { appendKept(acc, v, keep) }
	}
}

func appendKept[T any](acc *[]T, v *T, keep func(*T)) {
	*acc = append(*acc, *v)
	if keep != nil {
		keep(&(*acc)[len(*acc)-1])
	}
}

// appendingLast keeps the last records of each key.
func appendingLast[T any](last int, keep func(*T)) func() func(acc *[]T, v *T, fresh bool) {
	return func() func(acc *[]T, v *T, fresh bool) {
		return func(acc *[]T, v *T, _ bool) {
			if len(*acc) == last {
				*acc = append((*acc)[:0], (*acc)[1:]...)
			}
			appendKept(acc, v, keep)
		}
	}
}

// foldWindow is a reduce that needs no copy of what it is given: the first record gives all fields but those that fold sets.
func foldWindow[K comparable, T any](w *Windowed[K, T], name, kind string, fold func(acc, v *T), opts []Option) *Stream[T] {
	return reduceWindow(w, name, kind, fold, func(_ *WindowContext[K], v T, emit func(T)) { emit(v) }, opts)
}

// SumWindow adds up one field; the other fields are those of the window's first record.
func SumWindow[K comparable, T any, N Number](w *Windowed[K, T], name string, field func(*T) *N, opts ...Option) *Stream[T] {
	return foldWindow(w, name, "sum", func(acc, v *T) { *field(acc) += *field(v) }, opts)
}

// MinWindow gives the lowest value of one field; the other fields are those of the window's first record.
func MinWindow[K comparable, T any, N Number](w *Windowed[K, T], name string, field func(*T) *N, opts ...Option) *Stream[T] {
	return foldWindow(w, name, "min", func(acc, v *T) { *field(acc) = min(*field(acc), *field(v)) }, opts)
}

// MaxWindow gives the highest value of one field; the other fields are those of the window's first record.
func MaxWindow[K comparable, T any, N Number](w *Windowed[K, T], name string, field func(*T) *N, opts ...Option) *Stream[T] {
	return foldWindow(w, name, "max", func(acc, v *T) { *field(acc) = max(*field(acc), *field(v)) }, opts)
}

// MinByWindow gives the record with the lowest value of one field, of equal ones the first.
func MinByWindow[K comparable, T any, N Number](w *Windowed[K, T], name string, field func(*T) *N, opts ...Option) *Stream[T] {
	return foldWindow(w, name, "minBy", lower(field), opts)
}

// MaxByWindow gives the record with the highest value of one field, of equal ones the first.
func MaxByWindow[K comparable, T any, N Number](w *Windowed[K, T], name string, field func(*T) *N, opts ...Option) *Stream[T] {
	return foldWindow(w, name, "maxBy", higher(field), opts)
}

func lower[T any, N Number](field func(*T) *N) func(acc, v *T) {
	return func(acc, v *T) {
		if *field(v) < *field(acc) {
			*acc = *v
		}
	}
}

func higher[T any, N Number](field func(*T) *N) func(acc, v *T) {
	return func(acc, v *T) {
		if *field(v) > *field(acc) {
			*acc = *v
		}
	}
}
