package codec

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"reflect"
	"unsafe"

	"google.golang.org/protobuf/proto"
)

type binaryCoder interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

var binaryType = reflect.TypeFor[binaryCoder]()

// special makes the program of a type that says itself how it is encoded; done is false for all others.
func special(p *program, t reflect.Type, path string) (done bool, err error) {
	ptr := reflect.PointerTo(t)
	switch {
	case t == timeType:
		timeProgram(p)
	case ptr.Implements(coderType):
		if f := lender(t, coderType); f != "" {
			return false, fmt.Errorf("%s: %s has the Codec of its embedded field %s, which knows nothing of the other fields; give the field a name", path, t, f)
		}
		coderProgram(p, t)
	case t.Kind() == reflect.Pointer && t.Implements(protoType):
		if f := lender(t.Elem(), protoType); f != "" {
			return false, fmt.Errorf("%s: %s is a protobuf message by its embedded field %s only, which knows nothing of the other fields; "+
				"use %s itself, or give the field a name", path, t, f, t.Elem())
		}
		protoProgram(p, t)
	case t.Kind() == reflect.Struct && ptr.Implements(protoType) && lender(t, protoType) == "":
		return false, fmt.Errorf("%s: %s is a protobuf message and cannot be copied; use *%s", path, t, t)
	case t.Kind() == reflect.Struct && ptr.Implements(binaryType) && lender(t, binaryType) == "" && hides(t):
		binaryProgram(p, t)
	default:
		return false, nil
	}
	return true, nil
}

// lender names the embedded field of a struct that has the methods of iface, which the struct then has too.
func lender(t, iface reflect.Type) string {
	if t.Kind() != reflect.Struct {
		return ""
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && (f.Type.Implements(iface) || reflect.PointerTo(f.Type).Implements(iface)) {
			return f.Name
		}
	}
	return ""
}

// hidden tells whether a field is one that only its own package may touch. An embedded struct is not: its fields count.
func hidden(f reflect.StructField) bool {
	if f.IsExported() {
		return false
	}
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return !f.Anonymous || t.Kind() != reflect.Struct
}

func hides(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); f.Name != "_" && hidden(f) {
			return true
		}
	}
	return false
}

func coderProgram(p *program, t reflect.Type) {
	p.least = 1
	ptrType := reflect.PointerTo(t)
	view := func(ptr unsafe.Pointer) Coder { return reflect.NewAt(t, ptr).Interface().(Coder) }
	p.enc = func(dst []byte, ptr unsafe.Pointer) []byte {
		body := view(ptr).AppendWeft(nil)
		dst = binary.AppendUvarint(dst, uint64(len(body)))
		return append(dst, body...)
	}
	p.dec = func(src string, pos int, ptr unsafe.Pointer, _ *arena) (int, error) {
		var s string
		next, err := decodeString(src, pos, &s)
		if err != nil {
			return pos, err
		}
		reflect.NewAt(t, ptr).Elem().SetZero() // else it would use memory again that earlier copies of the value have
		if err := view(ptr).DecodeWeft([]byte(s)); err != nil {
			return pos, &CoderError{ptrType, "DecodeWeft", err, pos}
		}
		return next, nil
	}
	p.clone = roundTrip(p)
	p.keep = p.clone
}

// roundTrip clones a value by encoding and decoding it.
func roundTrip(p *program) func(ptr unsafe.Pointer) {
	return func(ptr unsafe.Pointer) {
		b := p.enc(nil, ptr)
		if _, err := p.dec(string(b), 0, ptr, new(arena)); err != nil {
			panic(err) // the author's type does not read what it wrote; recovered as the author's error
		}
	}
}

func protoProgram(p *program, t reflect.Type) {
	p.least = 1
	get := func(ptr unsafe.Pointer) proto.Message {
		return reflect.NewAt(t, ptr).Elem().Interface().(proto.Message)
	}
	p.enc = func(dst []byte, ptr unsafe.Pointer) []byte {
		if *(*unsafe.Pointer)(ptr) == nil {
			return append(dst, 0)
		}
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(get(ptr))
		if err != nil {
			// A required field is unset: the author's value is not a valid message. Recovered as the author's error.
			panic(fmt.Sprintf("%s: %v", p.typ, err))
		}
		dst = binary.AppendUvarint(dst, uint64(len(b))+1)
		return append(dst, b...)
	}
	p.dec = func(src string, pos int, ptr unsafe.Pointer, _ *arena) (int, error) {
		n, pos, err := uvarint(src, pos)
		if err != nil {
			return pos, err
		}
		if n == 0 {
			*(*unsafe.Pointer)(ptr) = nil
			return pos, nil
		}
		if n-1 > uint64(len(src)-pos) {
			return pos, corrupt(pos, "message cut short")
		}
		m := reflect.New(t.Elem())
		end := pos + int(n-1)
		if err := proto.Unmarshal([]byte(src[pos:end]), m.Interface().(proto.Message)); err != nil {
			return pos, corrupt(pos, p.typ+": "+err.Error())
		}
		reflect.NewAt(t, ptr).Elem().Set(m)
		return end, nil
	}
	p.clone = func(ptr unsafe.Pointer) {
		if *(*unsafe.Pointer)(ptr) != nil {
			reflect.NewAt(t, ptr).Elem().Set(reflect.ValueOf(proto.Clone(get(ptr))))
		}
	}
	p.keep = p.clone
}

// binaryProgram is for structs of other packages with fields of their own, such as netip.Addr: by their MarshalBinary.
func binaryProgram(p *program, t reflect.Type) {
	p.least = 1
	ptrType := reflect.PointerTo(t)
	view := func(ptr unsafe.Pointer) binaryCoder { return reflect.NewAt(t, ptr).Interface().(binaryCoder) }
	p.enc = func(dst []byte, ptr unsafe.Pointer) []byte {
		body, err := view(ptr).MarshalBinary()
		if err != nil {
			panic(fmt.Sprintf("%s: %v", p.typ, err)) // the author's value; recovered as the author's error
		}
		dst = binary.AppendUvarint(dst, uint64(len(body)))
		return append(dst, body...)
	}
	p.dec = func(src string, pos int, ptr unsafe.Pointer, _ *arena) (int, error) {
		var s string
		next, err := decodeString(src, pos, &s)
		if err != nil {
			return pos, err
		}
		reflect.NewAt(t, ptr).Elem().SetZero()
		if err := view(ptr).UnmarshalBinary([]byte(s)); err != nil {
			return pos, &CoderError{ptrType, "UnmarshalBinary", err, pos}
		}
		return next, nil
	}
	p.clone = roundTrip(p)
	p.keep = p.clone
}
