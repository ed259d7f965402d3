package codec

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unsafe"
)

// fixedProgram: size bytes of memory are the encoding. Every platform Go jobs run on here is little-endian.
func fixedProgram(p *program, size uintptr) {
	p.flat, p.dense, p.size, p.least = true, true, size, int(size)
	switch size {
	case 8:
		p.enc = func(dst []byte, ptr unsafe.Pointer) []byte {
			return binary.LittleEndian.AppendUint64(dst, *(*uint64)(ptr))
		}
	default:
		p.enc = func(dst []byte, ptr unsafe.Pointer) []byte {
			return append(dst, unsafe.Slice((*byte)(ptr), size)...)
		}
	}
	p.dec = func(src string, pos int, ptr unsafe.Pointer, _ *arena) (int, error) {
		end := pos + int(size)
		if end > len(src) {
			return pos, corrupt(pos, "value cut short")
		}
		copy(unsafe.Slice((*byte)(ptr), size), src[pos:end])
		return end, nil
	}
}

// boolProgram: one byte, 0 or 1; another byte would be a Go bool that is neither true nor false.
func boolProgram(p *program) {
	fixedProgram(p, 1)
	p.dense = false
	p.dec = func(src string, pos int, ptr unsafe.Pointer, _ *arena) (int, error) {
		if pos >= len(src) || src[pos] > 1 {
			return pos, corrupt(pos, "boolean is neither 0 nor 1")
		}
		*(*bool)(ptr) = src[pos] == 1
		return pos + 1, nil
	}
}

func encodeInt64(dst []byte, v *int64) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(*v))
}

func encodeString(dst []byte, v *string) []byte {
	s := *v
	if len(s) < 0x80 {
		dst = append(dst, byte(len(s)))
		return append(dst, s...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func decodeString(src string, pos int, v *string) (int, error) {
	if pos < len(src) && src[pos] < 0x80 {
		n := int(src[pos])
		pos++
		if n > len(src)-pos {
			return pos, corrupt(pos, "string cut short")
		}
		*v = src[pos : pos+n]
		return pos + n, nil
	}
	n, pos, err := uvarint(src, pos)
	if err != nil {
		return pos, err
	}
	if n > uint64(len(src)-pos) {
		return pos, corrupt(pos, "string cut short")
	}
	*v = src[pos : pos+int(n)]
	return pos + int(n), nil
}

// uvarint is encoding/binary's, for strings.
func uvarint(src string, pos int) (uint64, int, error) {
	var x uint64
	for shift := uint(0); shift < 64; shift += 7 {
		if pos >= len(src) {
			return 0, pos, corrupt(pos, "length cut short")
		}
		b := src[pos]
		pos++
		if b < 0x80 {
			if shift == 63 && b > 1 {
				break
			}
			return x | uint64(b)<<shift, pos, nil
		}
		x |= uint64(b&0x7f) << shift
	}
	return 0, pos, corrupt(pos, "length does not fit 64 bits")
}

// count reads a number of elements.
func count(src string, pos int) (int, int, error) {
	n, pos, err := uvarint(src, pos)
	if err != nil {
		return 0, pos, err
	}
	if n > maxElements {
		return 0, pos, corrupt(pos, fmt.Sprintf("count %d is more than %d", n, maxElements))
	}
	return int(n), pos, nil
}

func stringProgram(p *program) {
	p.text, p.least = true, 1
	p.enc = func(dst []byte, ptr unsafe.Pointer) []byte { return encodeString(dst, (*string)(ptr)) }
	p.dec = func(src string, pos int, ptr unsafe.Pointer, _ *arena) (int, error) {
		return decodeString(src, pos, (*string)(ptr))
	}
	p.keep = func(ptr unsafe.Pointer) { s := (*string)(ptr); *s = strings.Clone(*s) }
}

func timeProgram(p *program) {
	p.least = 16 // the length, and the 15 bytes of time.Time's shorter format
	p.enc = func(dst []byte, ptr unsafe.Pointer) []byte {
		b, err := (*time.Time)(ptr).MarshalBinary()
		if err != nil {
			// Only zone offsets of fractional minutes beyond the format fail: keep the instant, in UTC.
			b, _ = (*time.Time)(ptr).UTC().MarshalBinary()
		}
		dst = append(dst, byte(len(b)))
		return append(dst, b...)
	}
	p.dec = func(src string, pos int, ptr unsafe.Pointer, _ *arena) (int, error) {
		var s string
		next, err := decodeString(src, pos, &s)
		if err != nil {
			return pos, err
		}
		if err := (*time.Time)(ptr).UnmarshalBinary([]byte(s)); err != nil {
			return pos, corrupt(pos, "time: "+err.Error())
		}
		return next, nil
	}
}

func (c *compiler) arrayProgram(p *program, t reflect.Type, path string) error {
	e, err := c.compile(t.Elem(), path+"[]")
	if err != nil {
		return err
	}
	n, size := t.Len(), t.Elem().Size()
	if e.dense {
		fixedProgram(p, size*uintptr(n))
		return nil
	}
	p.flat, p.least = e.flat, n*e.least
	each := func(do func(unsafe.Pointer)) func(unsafe.Pointer) {
		if do == nil {
			return nil
		}
		return func(ptr unsafe.Pointer) {
			for i := range n {
				do(unsafe.Add(ptr, uintptr(i)*size))
			}
		}
	}
	p.enc = func(dst []byte, ptr unsafe.Pointer) []byte {
		for i := range n {
			dst = e.enc(dst, unsafe.Add(ptr, uintptr(i)*size))
		}
		return dst
	}
	p.dec = func(src string, pos int, ptr unsafe.Pointer, a *arena) (int, error) {
		var err error
		for i := range n {
			if pos, err = e.dec(src, pos, unsafe.Add(ptr, uintptr(i)*size), a); err != nil {
				return pos, err
			}
		}
		return pos, nil
	}
	p.clone, p.keep = each(e.clone), each(e.keep)
	p.walk = func(ptr unsafe.Pointer, depth int) {
		for i := 0; i < n && e.walk != nil; i++ {
			e.walk(unsafe.Add(ptr, uintptr(i)*size), depth)
		}
	}
	return nil
}

func (c *compiler) mapProgram(p *program, t reflect.Type, path string) error {
	p.least = 1
	p.clone = roundTrip(p) // before a struct within asks for it
	p.keep = p.clone
	k, err := c.compile(t.Key(), path+"(key)")
	if err != nil {
		return err
	}
	e, err := c.compile(t.Elem(), path+"(value)")
	if err != nil {
		return err
	}
	addressable := func(v reflect.Value) unsafe.Pointer {
		n := reflect.New(v.Type())
		n.Elem().Set(v)
		return n.UnsafePointer()
	}
	p.enc = func(dst []byte, ptr unsafe.Pointer) []byte {
		m := reflect.NewAt(t, ptr).Elem()
		if m.IsNil() {
			return append(dst, 0)
		}
		dst = binary.AppendUvarint(dst, uint64(m.Len())+1)
		for it := m.MapRange(); it.Next(); {
			dst = k.enc(dst, addressable(it.Key()))
			dst = e.enc(dst, addressable(it.Value()))
		}
		return dst
	}
	p.walk = func(ptr unsafe.Pointer, depth int) {
		for it := reflect.NewAt(t, ptr).Elem().MapRange(); e.walk != nil && it.Next(); {
			e.walk(addressable(it.Value()), depth)
		}
	}
	p.dec = func(src string, pos int, ptr unsafe.Pointer, a *arena) (int, error) {
		n, pos, err := count(src, pos)
		if err != nil {
			return pos, err
		}
		m := reflect.NewAt(t, ptr).Elem()
		if n == 0 {
			m.SetZero()
			return pos, nil
		}
		if n > 2 && t.Key().Size() == 0 {
			return pos, corrupt(pos, "map has more entries than keys there are")
		}
		out := reflect.MakeMap(t)
		for range n - 1 {
			if pos >= len(src) && t.Key().Size() > 0 {
				return pos, corrupt(pos, "map cut short")
			}
			kv, ev := reflect.New(t.Key()), reflect.New(t.Elem())
			if pos, err = k.dec(src, pos, kv.UnsafePointer(), a); err != nil {
				return pos, err
			}
			if pos, err = e.dec(src, pos, ev.UnsafePointer(), a); err != nil {
				return pos, err
			}
			out.SetMapIndex(kv.Elem(), ev.Elem())
		}
		m.Set(out)
		return pos, nil
	}
	return nil
}

func (c *compiler) pointerProgram(p *program, t reflect.Type, path string) (err error) {
	var e *program
	p.least = 1
	// Before a struct within asks for it.
	deep := func(then func(*program) func(unsafe.Pointer)) func(unsafe.Pointer) {
		return func(ptr unsafe.Pointer) {
			v := reflect.NewAt(t, ptr).Elem()
			if v.IsNil() {
				return
			}
			n := reflect.New(t.Elem())
			n.Elem().Set(v.Elem())
			if do := then(e); do != nil {
				do(n.UnsafePointer())
			}
			v.Set(n)
		}
	}
	p.clone = deep(func(e *program) func(unsafe.Pointer) { return e.clone })
	p.keep = deep(func(e *program) func(unsafe.Pointer) { return e.keep })
	if e, err = c.compile(t.Elem(), path); err != nil {
		return err
	}
	p.enc = func(dst []byte, ptr unsafe.Pointer) []byte {
		target := *(*unsafe.Pointer)(ptr)
		if target == nil {
			return append(dst, 0)
		}
		return e.enc(append(dst, 1), target)
	}
	p.walk = func(ptr unsafe.Pointer, depth int) {
		if target := *(*unsafe.Pointer)(ptr); target != nil && e.walk != nil {
			e.walk(target, depth)
		}
	}
	p.dec = func(src string, pos int, ptr unsafe.Pointer, a *arena) (int, error) {
		if pos >= len(src) || src[pos] > 1 {
			return pos, corrupt(pos, "pointer is neither nil nor set")
		}
		if src[pos] == 0 {
			*(*unsafe.Pointer)(ptr) = nil
			return pos + 1, nil
		}
		n := reflect.New(t.Elem())
		pos, err := e.dec(src, pos+1, n.UnsafePointer(), a)
		if err != nil {
			return pos, err
		}
		reflect.NewAt(t, ptr).Elem().Set(n)
		return pos, nil
	}
	return nil
}
