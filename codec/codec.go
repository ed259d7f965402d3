package codec

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

// ErrCorrupt: the bytes are not what Encode makes.
var ErrCorrupt = errors.New("corrupt record")

// Codec encodes, decodes and clones values of T. It is immutable and safe for concurrent use.
type Codec[T any] struct {
	prog  *program
	slots int // of an arena
	// recursive: T or something in it refers to its own type.
	recursive bool
}

// Coder may be implemented by *T to replace the compiled encoding of T. Authors know it as stream.Codec.
type Coder interface {
	// AppendWeft appends the encoding of the value.
	AppendWeft(dst []byte) []byte
	// DecodeWeft reads what AppendWeft wrote; it must not keep src.
	DecodeWeft(src []byte) error
}

// Of compiles the codec of T. The error names the field that cannot be encoded, for example
// "main.Event.Callback: func() cannot be encoded".
func Of[T any]() (*Codec[T], error) {
	t := reflect.TypeFor[T]()
	c := newCompiler()
	p, err := c.compile(t, t.String())
	if err != nil {
		return nil, err
	}
	return &Codec[T]{prog: p, slots: c.slots, recursive: c.recursive}, nil
}

// Type is T as Go prints it.
func (c *Codec[T]) Type() string { return c.prog.typ }

// Flat tells that T holds no pointers: copying the value is cloning it.
func (c *Codec[T]) Flat() bool { return c.prog.flat }

// Dense is how many bytes of a value's memory, from its beginning, are its encoding as they are; 0 where that is not so. Exchanges
// copy them instead of calling Encoder and Decoder for each record.
func (c *Codec[T]) Dense() int {
	if c.prog.dense {
		return int(c.prog.size)
	}
	return c.prog.head
}

// Immutable tells that sharing a copy is harmless: T is flat or holds strings besides, but no slice, map or pointer.
func (c *Codec[T]) Immutable() bool { return c.prog.clone == nil }

// Encoder returns the function that appends a value's encoding.
func (c *Codec[T]) Encoder() func(dst []byte, v *T) []byte {
	if f, ok := any(encodeString).(func([]byte, *T) []byte); ok {
		return f
	}
	if f, ok := any(encodeInt64).(func([]byte, *T) []byte); ok {
		return f
	}
	enc := c.prog.enc
	if c.recursive {
		walk := c.prog.walk
		return func(dst []byte, v *T) []byte {
			walk(unsafe.Pointer(v), 0)
			return enc(dst, unsafe.Pointer(v))
		}
	}
	return func(dst []byte, v *T) []byte { return enc(dst, unsafe.Pointer(v)) }
}

// Decoder returns a function that decodes the value at src[pos:] into v and gives the position after it. Strings in v
// are cut from src, elements of slices from memory that the function allocates in chunks (see the package's text on
// ownership). v is overwritten as a whole; what it referred to before is not reused. Decode the values of a batch from one
// src in turn, beginning at position 0. The function is for one goroutine; make another for another.
func (c *Codec[T]) Decoder() func(src string, pos int, v *T) (int, error) {
	if f, ok := any(decodeString).(func(string, int, *T) (int, error)); ok {
		return f
	}
	dec := c.prog.dec
	if c.slots == 0 && !c.recursive {
		return func(src string, pos int, v *T) (int, error) { return dec(src, pos, unsafe.Pointer(v), nil) }
	}
	a := newArena(c.slots)
	return func(src string, pos int, v *T) (int, error) {
		a.restart(pos)
		return dec(src, pos, unsafe.Pointer(v), a)
	}
}

// Cloner returns the function that makes *v independent of whatever it shares with others, in place, or nil where a
// copy is a clone.
func (c *Codec[T]) Cloner() func(v *T) {
	clone := c.prog.clone
	if clone == nil {
		return nil
	}
	return c.limited(clone)
}

// Keeper returns the function that makes *v fit to be kept for long: like Cloner, and strings are copied too so that they do
// not hold the buffer they were cut from. It is nil where T holds no pointers.
func (c *Codec[T]) Keeper() func(v *T) {
	keep := c.prog.keep
	if keep == nil {
		return nil
	}
	return c.limited(keep)
}

// limited is do, which copies a value as deep as it goes.
func (c *Codec[T]) limited(do func(unsafe.Pointer)) func(v *T) {
	if !c.recursive {
		return func(v *T) { do(unsafe.Pointer(v)) }
	}
	walk := c.prog.walk
	return func(v *T) {
		walk(unsafe.Pointer(v), 0)
		do(unsafe.Pointer(v))
	}
}

// CoderError is what a method of the author's has made of bytes that another one of the same type wrote. It is an ErrCorrupt too.
type CoderError struct {
	// Type has the method of that name.
	Type   reflect.Type
	Method string
	err    error
	pos    int
}

// Error names the type and the place.
func (e *CoderError) Error() string {
	return fmt.Sprintf("%s of %s: %v, at byte %d", e.Method, e.Type.Elem(), e.err, e.pos)
}

// Unwrap gives the author's error.
func (e *CoderError) Unwrap() []error { return []error{e.err, ErrCorrupt} }

func corrupt(pos int, what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrCorrupt, what, pos)
}
