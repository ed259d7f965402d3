package codec

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// Key encodes and hashes keys of type K by the canonical encoding of docs/formats/keys.md: equality of keys and their key
// group follow from that encoding and nothing else. It is immutable and safe for concurrent use.
type Key[K comparable] struct {
	typ    string
	append func(dst []byte, p unsafe.Pointer) []byte
}

// KeyOf compiles the key encoding of K: integers, strings, booleans, byte arrays, time.Time, and structs and arrays of
// these. Anything else is refused with a sentence that names the field.
func KeyOf[K comparable]() (*Key[K], error) {
	t := reflect.TypeFor[K]()
	f, err := compileKey(t, t.String())
	if err != nil {
		return nil, err
	}
	return &Key[K]{typ: t.String(), append: f}, nil
}

// Type is K as Go prints it.
func (k *Key[K]) Type() string { return k.typ }

// Append appends the canonical encoding of a key.
func (k *Key[K]) Append(dst []byte, v *K) []byte { return k.append(dst, unsafe.Pointer(v)) }

// Hash is the 64-bit hash of a key: xxHash64 of the canonical encoding.
func (k *Key[K]) Hash(v K) uint64 {
	var buf [64]byte
	return xxhash.Sum64(k.append(buf[:0], unsafe.Pointer(&v)))
}

// Hasher returns Hash as a concrete function, with short ways for strings and 64-bit integers. The function is for one
// goroutine: it reuses a buffer.
func (k *Key[K]) Hasher() func(v K) uint64 {
	if f, ok := any(hashString).(func(K) uint64); ok {
		return f
	}
	if f, ok := any(hashInt64).(func(K) uint64); ok {
		return f
	}
	if f, ok := any(hashUint64).(func(K) uint64); ok {
		return f
	}
	var (
		buf  []byte
		slot K
	)
	return func(v K) uint64 {
		slot = v
		buf = k.append(buf[:0], unsafe.Pointer(&slot))
		return xxhash.Sum64(buf)
	}
}

// Normalizer returns a function that makes == agree with the canonical encoding: instants lose their time zone and the
// reading of the monotonic clock. It is nil where == agrees already.
func (k *Key[K]) Normalizer() func(v *K) {
	f := normalizer(reflect.TypeFor[K]())
	if f == nil {
		return nil
	}
	return func(v *K) { f(unsafe.Pointer(v)) }
}

func normalizer(t reflect.Type) func(unsafe.Pointer) {
	if t == timeType {
		return func(p unsafe.Pointer) {
			tm := (*time.Time)(p)
			*tm = time.Unix(tm.Unix(), int64(tm.Nanosecond())).UTC()
		}
	}
	switch t.Kind() {
	case reflect.Array:
		f := normalizer(t.Elem())
		if f == nil {
			return nil
		}
		n, size := t.Len(), t.Elem().Size()
		return func(p unsafe.Pointer) {
			for i := range n {
				f(unsafe.Add(p, uintptr(i)*size))
			}
		}
	case reflect.Struct:
		return structNormalizer(t)
	}
	return nil
}

func structNormalizer(t reflect.Type) func(unsafe.Pointer) {
	type step struct {
		off uintptr
		f   func(unsafe.Pointer)
	}
	var steps []step
	for i := range t.NumField() {
		f := t.Field(i)
		if n := normalizer(f.Type); n != nil {
			steps = append(steps, step{f.Offset, n})
		}
	}
	if steps == nil {
		return nil
	}
	return func(p unsafe.Pointer) {
		for i := range steps {
			steps[i].f(unsafe.Add(p, steps[i].off))
		}
	}
}

// A string's canonical encoding at the top level is its bytes alone: nothing follows that it could run into.
func hashString(s string) uint64 { return xxhash.Sum64String(s) }

func hashInt64(v int64) uint64 { return hashUint64(uint64(v)) }

func hashUint64(v uint64) uint64 {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return xxhash.Sum64(b[:])
}

// KeyGroup is the key group of a hash: the upper 32 bits, scaled to 0 … maxParallelism-1.
func KeyGroup(hash uint64, maxParallelism int) int {
	return int((hash >> 32) * uint64(maxParallelism) >> 32)
}

// SubtaskOf is the subtask that owns a key group, of parallelism subtasks; groups are dealt in ranges as Flink does.
func SubtaskOf(group, maxParallelism, parallelism int) int {
	return group * parallelism / maxParallelism
}

func compileKey(t reflect.Type, path string) (func([]byte, unsafe.Pointer) []byte, error) {
	if t.Kind() == reflect.String {
		return func(dst []byte, p unsafe.Pointer) []byte { return append(dst, *(*string)(p)...) }, nil
	}
	return compileKeyPart(t, path)
}

// compileKeyPart encodes a key or a part of one: integers big-endian in their width (int and uint in 8 bytes), strings and
// arrays of bytes with what delimits them.
func compileKeyPart(t reflect.Type, path string) (func([]byte, unsafe.Pointer) []byte, error) {
	if t == timeType {
		return func(dst []byte, p unsafe.Pointer) []byte {
			tm := (*time.Time)(p)
			dst = binary.BigEndian.AppendUint64(dst, uint64(tm.Unix()))
			return binary.BigEndian.AppendUint32(dst, uint32(tm.Nanosecond()))
		}, nil
	}
	switch t.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Uint8:
		return func(dst []byte, p unsafe.Pointer) []byte { return append(dst, *(*byte)(p)) }, nil
	case reflect.Int16, reflect.Uint16:
		return func(dst []byte, p unsafe.Pointer) []byte { return binary.BigEndian.AppendUint16(dst, *(*uint16)(p)) }, nil
	case reflect.Int32, reflect.Uint32:
		return func(dst []byte, p unsafe.Pointer) []byte { return binary.BigEndian.AppendUint32(dst, *(*uint32)(p)) }, nil
	case reflect.Int64, reflect.Uint64:
		return func(dst []byte, p unsafe.Pointer) []byte { return binary.BigEndian.AppendUint64(dst, *(*uint64)(p)) }, nil
	case reflect.Int:
		return func(dst []byte, p unsafe.Pointer) []byte {
			return binary.BigEndian.AppendUint64(dst, uint64(*(*int)(p)))
		}, nil
	case reflect.Uint:
		return func(dst []byte, p unsafe.Pointer) []byte {
			return binary.BigEndian.AppendUint64(dst, uint64(*(*uint)(p)))
		}, nil
	case reflect.String:
		return func(dst []byte, p unsafe.Pointer) []byte {
			s := *(*string)(p)
			dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
			return append(dst, s...)
		}, nil
	case reflect.Array:
		e, err := compileKeyPart(t.Elem(), path+"[]")
		if err != nil {
			return nil, err
		}
		n, size := t.Len(), t.Elem().Size()
		return func(dst []byte, p unsafe.Pointer) []byte {
			for i := range n {
				dst = e(dst, unsafe.Add(p, uintptr(i)*size))
			}
			return dst
		}, nil
	case reflect.Struct:
		type step struct {
			off uintptr
			f   func([]byte, unsafe.Pointer) []byte
		}
		var steps []step
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Name == "_" {
				continue // == ignores it too
			}
			if hidden(f) {
				return nil, fmt.Errorf("%s.%s: a field that is not exported cannot be part of a key; export it", path, f.Name)
			}
			e, err := compileKeyPart(f.Type, path+"."+f.Name)
			if err != nil {
				return nil, err
			}
			steps = append(steps, step{f.Offset, e})
		}
		return func(dst []byte, p unsafe.Pointer) []byte {
			for i := range steps {
				dst = steps[i].f(dst, unsafe.Add(p, steps[i].off))
			}
			return dst
		}, nil
	}
	return nil, fmt.Errorf("%s: %s cannot be a key; keys are integers, strings, booleans, byte arrays, time.Time, and structs and arrays of these", path, t)
}
