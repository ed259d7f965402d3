package codec

import (
	"encoding/binary"
	"reflect"
	"unsafe"
)

// sliceHeader is the memory of a slice.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// noElements is where slices point that are empty and not nil, and slices of elements without memory.
var noElements struct{}

func (c *compiler) sliceProgram(p *program, t reflect.Type, path string) (err error) {
	var e *program
	// First what a struct within the elements asks of this type, which is a placeholder until the end.
	p.least = 1
	p.clone = func(ptr unsafe.Pointer) { copySlice(t, ptr, e.clone) }
	p.keep = func(ptr unsafe.Pointer) { copySlice(t, ptr, e.keep) }
	if e, err = c.compile(t.Elem(), path+"[]"); err != nil {
		return err
	}
	size := t.Elem().Size()
	// Count + 1, so that nil and empty stay different.
	p.enc = func(dst []byte, ptr unsafe.Pointer) []byte {
		h := (*sliceHeader)(ptr)
		if h.data == nil {
			return append(dst, 0)
		}
		dst = binary.AppendUvarint(dst, uint64(h.len)+1)
		if e.dense {
			return append(dst, unsafe.Slice((*byte)(h.data), h.len*int(size))...)
		}
		for i := range h.len {
			dst = e.enc(dst, unsafe.Add(h.data, uintptr(i)*size))
		}
		return dst
	}
	p.walk = func(ptr unsafe.Pointer, depth int) {
		h := (*sliceHeader)(ptr)
		for i := 0; i < h.len && e.walk != nil; i++ {
			e.walk(unsafe.Add(h.data, uintptr(i)*size), depth)
		}
	}
	p.dec = c.sliceDecoder(e, t)
	return nil
}

// copySlice gives the slice of type t at ptr elements of its own, and does do to each.
func copySlice(t reflect.Type, ptr unsafe.Pointer, do func(unsafe.Pointer)) {
	v := reflect.NewAt(t, ptr).Elem()
	if v.IsNil() {
		return
	}
	s := reflect.MakeSlice(t, v.Len(), v.Len())
	reflect.Copy(s, v)
	if do != nil {
		for i := range v.Len() {
			do(unsafe.Add(s.UnsafePointer(), uintptr(i)*t.Elem().Size()))
		}
	}
	v.Set(s)
}

// sliceDecoder makes the decoder of slices of type t, whose elements e decodes. Fields of e are read when it runs: until
// then e may be under way.
func (c *compiler) sliceDecoder(e *program, t reflect.Type) func(string, int, unsafe.Pointer, *arena) (int, error) {
	size := t.Elem().Size()
	slot := c.slots
	c.slots++
	return func(src string, pos int, ptr unsafe.Pointer, a *arena) (int, error) {
		if pos < len(src) && src[pos] == 0 {
			*(*sliceHeader)(ptr) = sliceHeader{}
			return pos + 1, nil
		}
		n, pos, err := count(src, pos)
		if err != nil {
			return pos, err
		}
		if n == 0 {
			return pos, corrupt(pos, "count is not in its shortest form")
		}
		n--
		least := e.least
		if least == 0 && size > 0 {
			least = 1 // nothing but blank fields; the memory must have a bound
		}
		if least > 0 && n > (len(src)-pos-a.owed)/least {
			return pos, corrupt(pos, "slice cut short")
		}
		data := unsafe.Pointer(&noElements)
		if n > 0 && size > 0 {
			data = a.take(slot, n, t, size)
		}
		switch {
		case e.dense:
			pos += copy(unsafe.Slice((*byte)(data), n*int(size)), src[pos:])
		case e.text:
			for i := range n {
				if pos, err = decodeString(src, pos, (*string)(unsafe.Add(data, uintptr(i)*size))); err != nil {
					return pos, err
				}
			}
		case e.least > 0:
			a.owed += n * least
			for i := range n {
				a.owed -= least
				if pos, err = e.dec(src, pos, unsafe.Add(data, uintptr(i)*size), a); err != nil {
					return pos, err
				}
			}
		}
		*(*sliceHeader)(ptr) = sliceHeader{data, n, n}
		return pos, nil
	}
}
