package stream

import "github.com/weft-project/weft/operator"

// The Ref forms are for large records: the function reads the record where it is instead of being given a copy. It changes
// nothing in it and keeps no pointer to it after the call.

// FilterRef is Filter without copying the record.
func FilterRef[A any](in *Stream[A], name string, fn func(*A) bool, opts ...Option) *Stream[A] {
	f := operator.FilterRefFactory(func(*operator.Context) func(*A) bool { return fn })
	return add[A](in.env, name, "filter", in.inputs(), f, opts)
}

// FlatMapRef is FlatMap without copying the record.
func FlatMapRef[A, B any](in *Stream[A], name string, fn func(a *A, emit func(B)), opts ...Option) *Stream[B] {
	return FlatMapRefWith(in, name, func(*Context) func(*A, func(B)) { return fn }, opts...)
}

// FlatMapRefWith is FlatMapRef with a function made for each subtask.
func FlatMapRefWith[A, B any](in *Stream[A], name string, open func(*Context) func(a *A, emit func(B)), opts ...Option) *Stream[B] {
	f := operator.FlatMapRefFactory(func(c *operator.Context) func(*A, func(B)) { return open(contextOf(c)) })
	return add[B](in.env, name, "flatMap", in.inputs(), f, opts)
}

// ForEachRef is ForEach without copying the record.
func ForEachRef[T any](in *Stream[T], name string, fn func(*T), opts ...Option) {
	ForEachRefWith(in, name, func(*Context) func(*T) { return fn }, opts...)
}

// ForEachRefWith is ForEachRef with a function made for each subtask.
func ForEachRefWith[T any](in *Stream[T], name string, open func(*Context) func(*T), opts ...Option) {
	f := operator.SinkRefFactory(func(c *operator.Context) func(*T) { return open(contextOf(c)) })
	addSink(in.env, name, "sink", in.inputs(), f, opts)
}
