package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Converter changes stored values of one type into those of another, of which structs have lost or got fields: fields are found by
// name, lost ones are left out, new ones are zero. It is safe for concurrent use.
type Converter struct{ from, to *Type }

// NewConverter compares the types. It is nil where they are the same: there is nothing to do. The error names the place at which they differ
// in another way.
func NewConverter(from, to string) (*Converter, error) {
	if from == to {
		return nil, nil
	}
	if from == "" || to == "" {
		return nil, errors.New("the type of the stored values is not known")
	}
	f, err := Parse(from)
	if err != nil {
		return nil, err
	}
	t, err := Parse(to)
	if err != nil {
		return nil, err
	}
	if err := compare(f, t, "value", map[[2]*Type]bool{}); err != nil {
		return nil, err
	}
	return &Converter{f, t}, nil
}

// compare tells what cannot be converted. seen are pairs that are being compared, since types may refer to themselves.
func compare(from, to *Type, path string, seen map[[2]*Type]bool) error {
	if seen[[2]*Type{from, to}] {
		return nil
	}
	seen[[2]*Type{from, to}] = true
	if from.Kind != to.Kind || from.Size != to.Size || from.Name != to.Name {
		return fmt.Errorf("%s was stored as %s and is %s now: fields may be added and removed, types of fields may not change", path, from.word(), to.word())
	}
	if from.Key != nil {
		if err := compare(from.Key, to.Key, path+"(key)", seen); err != nil {
			return err
		}
	}
	if from.Elem != nil {
		return compare(from.Elem, to.Elem, path+"[]", seen)
	}
	for _, f := range to.Fields {
		old := from.field(f.Name)
		if old == nil {
			if _, err := f.Type.zero(nil, 0); err != nil {
				return fmt.Errorf("%s.%s was not stored: %w", path, f.Name, err)
			}
			continue
		}
		if err := compare(old, f.Type, path+"."+f.Name, seen); err != nil {
			return err
		}
	}
	return nil
}

func (t *Type) field(name string) *Type {
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return t.Fields[i].Type
		}
	}
	return nil
}

// word is a type for people, in short.
func (t *Type) word() string {
	names := [...]string{"bool", "int", "uint", "float", "complex", "string", "time", "opaque", "message", "slice", "array", "map", "table", "pointer", "struct"}
	switch {
	case t.Name != "":
		return names[t.Kind] + " " + t.Name
	case t.Kind == Array:
		return fmt.Sprintf("array of %d", t.Size)
	case t.Kind >= Int && t.Kind <= Complex:
		return fmt.Sprintf("%s%d", names[t.Kind], 8*t.Size)
	}
	return names[t.Kind]
}

var errNoZero = errors.New("a value of the author's own encoding has no zero that is known")

// zero appends the encoding of the zero value.
func (t *Type) zero(dst []byte, depth int) ([]byte, error) {
	var err error
	switch t.Kind {
	case Bool, Int, Uint, Float, Complex:
		return append(dst, make([]byte, t.Size)...), nil
	case Time:
		b, err := time.Time{}.MarshalBinary()
		return append(append(dst, byte(len(b))), b...), err
	case Opaque:
		return dst, errNoZero
	case Array:
		for i := 0; i < t.Size && err == nil; i++ {
			dst, err = t.Elem.zero(dst, depth+1)
		}
	case Struct:
		for i := 0; i < len(t.Fields) && err == nil; i++ {
			dst, err = t.Fields[i].Type.zero(dst, depth+1)
		}
	default: // no bytes, no elements, nil
		return append(dst, 0), nil
	}
	return dst, err
}

// Convert appends what src holds at pos as a value of the new type, and gives the position after it.
func (c *Converter) Convert(dst []byte, src string, pos int) ([]byte, int, error) {
	w := &converting{shower{dst: dst, src: src, pos: pos, left: 1<<16 + 4*len(src)}}
	w.value(c.from, c.to, 0)
	return w.dst, w.pos, w.err
}

// converting reads like shower, and writes bytes.
type converting struct{ shower }

// value converts; with to nil it leaves out.
func (w *converting) value(from, to *Type, depth int) {
	if w.left--; w.left < 0 || depth > 10_000 {
		w.fail("there is more in it than its bytes can hold")
	}
	if w.err != nil {
		return
	}
	put := func(b string) {
		if to != nil && w.err == nil {
			w.dst = append(w.dst, b...)
		}
	}
	count := func(less int) int {
		n := w.uvarint()
		if to != nil && w.err == nil {
			w.dst = binary.AppendUvarint(w.dst, uint64(n))
		}
		return max(0, n-less)
	}
	switch from.Kind {
	case Bool, Int, Uint, Float, Complex:
		put(w.take(from.Size))
	case String, Time, Opaque:
		put(w.take(count(0)))
	case Message:
		put(w.take(count(1)))
	case Pointer:
		set := w.take(1)
		if put(set); set == "\x01" {
			w.elements(from, to, 1, depth)
		}
	case Slice, Map:
		w.elements(from, to, count(1), depth)
	case Table:
		w.elements(from, to, count(0), depth)
	case Array:
		w.elements(from, to, from.Size, depth)
	case Struct:
		w.fields(from, to, depth)
	}
}

func (w *converting) elements(from, to *Type, n, depth int) {
	var key, elem *Type
	if to != nil {
		key, elem = to.Key, to.Elem
	}
	for i := 0; i < n && w.err == nil; i++ {
		if from.Key != nil {
			w.value(from.Key, key, depth+1)
		}
		w.value(from.Elem, elem, depth+1)
	}
}

// fields reads the old fields in their order and writes the new ones in theirs.
func (w *converting) fields(from, to *Type, depth int) {
	if to == nil {
		for _, f := range from.Fields {
			w.value(f.Type, nil, depth+1)
		}
		return
	}
	out := w.dst
	parts := map[string][]byte{}
	for _, f := range from.Fields {
		w.dst = nil
		w.value(f.Type, to.field(f.Name), depth+1)
		parts[f.Name] = w.dst
	}
	for _, f := range to.Fields {
		part, stored := parts[f.Name]
		var err error
		if !stored {
			if part, err = f.Type.zero(nil, 0); err != nil {
				w.fail(err.Error())
			}
		}
		out = append(out, part...)
	}
	w.dst = out
}
