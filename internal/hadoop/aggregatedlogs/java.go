package aggregatedlogs

import (
	"bufio"
	"bytes"
	"math"
)

// Marks of Java's object serialisation.
const (
	javaMagic        = 0xaced
	tcNull           = 0x70
	tcReference      = 0x71
	tcClassDesc      = 0x72
	tcObject         = 0x73
	tcString         = 0x74
	tcArray          = 0x75
	tcBlockData      = 0x77
	tcEndBlockData   = 0x78
	tcBlockDataLong  = 0x7a
	tcLongString     = 0x7c
	tcEnum           = 0x7e
	firstHandle      = 0x7e0000
	flagWriteMethod  = 0x01
	flagSerializable = 0x02
	flagExternal     = 0x04
	flagBlockData    = 0x08
	// maxDepth bounds objects within objects, maxArray elements of an array.
	maxDepth = 64
	maxArray = 1 << 20
)

// javaObject is an object of a stream: its fields by name, those of all its classes, and what its class wrote besides.
type javaObject struct {
	class  string
	fields map[string]any
	// more is what writeObject wrote: objects, and blocks of bytes as []byte.
	more []any
}

type javaClass struct {
	name   string
	flags  int64
	fields []javaField
	super  *javaClass
}

type javaField struct {
	kind byte
	name string
}

// javaReader reads a stream of objects.
type javaReader struct {
	*input
	handles []any
	depth   int
}

// endOfBlock is the mark that ends what a class wrote besides its fields.
type endOfBlock struct{}

// decodeJava reads the one object of a stream.
func decodeJava(data []byte) (*javaObject, error) {
	r := &javaReader{input: &input{bufio.NewReader(bytes.NewReader(data))}}
	if v, err := r.fixed(2); err != nil || v&0xffff != javaMagic {
		return nil, damaged("the index is no Java object")
	}
	if _, err := r.fixed(2); err != nil {
		return nil, err
	}
	v, err := r.content()
	if err != nil {
		return nil, err
	}
	o, ok := v.(*javaObject)
	if !ok {
		return nil, damaged("the index is no Java object")
	}
	return o, nil
}

func (r *javaReader) keep(v any) int {
	r.handles = append(r.handles, v)
	return len(r.handles) - 1
}

// content reads one thing.
func (r *javaReader) content() (any, error) {
	if r.depth++; r.depth > maxDepth {
		return nil, damaged("the index is %d objects deep", r.depth)
	}
	defer func() { r.depth-- }()
	mark, err := r.fixed(1)
	if err != nil {
		return nil, err
	}
	switch mark & 0xff {
	case tcNull:
		return nil, nil
	case tcReference:
		n, err := r.fixed(4)
		if err != nil {
			return nil, err
		}
		if n -= firstHandle; n < 0 || n >= int64(len(r.handles)) {
			return nil, damaged("the index refers to an object that is not there")
		}
		return r.handles[n], nil
	case tcClassDesc:
		return r.class()
	case tcObject:
		return r.object()
	case tcString, tcLongString:
		return r.string(mark&0xff == tcLongString)
	case tcEnum:
		return r.enum()
	case tcArray:
		return r.array()
	case tcBlockData, tcBlockDataLong:
		return r.block(mark&0xff == tcBlockDataLong)
	case tcEndBlockData:
		return endOfBlock{}, nil
	}
	return nil, damaged("the index has an object of kind %#x", mark&0xff)
}

func (r *javaReader) string(long bool) (any, error) {
	width, mask := 2, int64(0xffff)
	if long {
		width, mask = 8, math.MaxInt64
	}
	n, err := r.fixed(width)
	if err != nil {
		return nil, err
	}
	s, err := r.text(n & mask)
	r.keep(s)
	return s, err
}

func (r *javaReader) block(long bool) (any, error) {
	width, mask := 1, int64(0xff)
	if long {
		width, mask = 4, math.MaxInt64
	}
	n, err := r.fixed(width)
	if err != nil {
		return nil, err
	}
	s, err := r.text(n & mask)
	return []byte(s), err
}

// class reads a class's description.
func (r *javaReader) class() (any, error) {
	c := &javaClass{}
	var err error
	if c.name, err = r.utf(); err != nil {
		return nil, err
	}
	if _, err = r.fixed(8); err != nil { // its version
		return nil, err
	}
	r.keep(c)
	if c.flags, err = r.fixed(1); err != nil {
		return nil, err
	}
	n, err := r.fixed(2)
	if err != nil {
		return nil, err
	}
	for range n & 0xffff {
		kind, err := r.fixed(1)
		if err != nil {
			return nil, err
		}
		name, err := r.utf()
		if err != nil {
			return nil, err
		}
		if kind == 'L' || kind == '[' {
			if _, err := r.content(); err != nil { // the type
				return nil, err
			}
		}
		c.fields = append(c.fields, javaField{byte(kind), name})
	}
	if _, err := r.annotations(); err != nil {
		return nil, err
	}
	super, err := r.content()
	if err != nil {
		return nil, err
	}
	c.super, _ = super.(*javaClass)
	return c, nil
}

// annotations reads what stands until the end of a block.
func (r *javaReader) annotations() (all []any, err error) {
	for {
		v, err := r.content()
		if err != nil {
			return nil, err
		}
		if _, end := v.(endOfBlock); end {
			return all, nil
		}
		all = append(all, v)
	}
}

// classOf reads the class of what follows.
func (r *javaReader) classOf() (*javaClass, error) {
	v, err := r.content()
	if err != nil {
		return nil, err
	}
	c, ok := v.(*javaClass)
	if !ok {
		return nil, damaged("an object of the index has no class")
	}
	return c, nil
}

func (r *javaReader) object() (any, error) {
	c, err := r.classOf()
	if err != nil {
		return nil, err
	}
	o := &javaObject{class: c.name, fields: map[string]any{}}
	r.keep(o)
	var lineage []*javaClass
	for ; c != nil; c = c.super {
		if len(lineage) > maxDepth {
			return nil, damaged("a class of the index is its own ancestor")
		}
		lineage = append([]*javaClass{c}, lineage...)
	}
	for _, c := range lineage {
		if c.flags&flagExternal != 0 && c.flags&flagBlockData == 0 {
			return nil, damaged("an object of class %.80s cannot be read", c.name)
		}
		if c.flags&flagSerializable != 0 {
			for _, f := range c.fields {
				if o.fields[f.name], err = r.value(f.kind); err != nil {
					return nil, err
				}
			}
		}
		if c.flags&(flagWriteMethod|flagExternal) != 0 {
			more, err := r.annotations()
			if err != nil {
				return nil, err
			}
			o.more = append(o.more, more...)
		}
	}
	return o, nil
}

func (r *javaReader) enum() (any, error) {
	c, err := r.classOf()
	if err != nil {
		return nil, err
	}
	at := r.keep(nil)
	name, err := r.content()
	if err != nil {
		return nil, err
	}
	o := &javaObject{class: c.name, fields: map[string]any{"name": name}}
	r.handles[at] = o
	return o, nil
}

func (r *javaReader) array() (any, error) {
	c, err := r.classOf()
	if err != nil {
		return nil, err
	}
	o := &javaObject{class: c.name}
	r.keep(o)
	n, err := r.fixed(4)
	if err != nil {
		return nil, err
	}
	if len(c.name) < 2 || n < 0 || n > maxArray {
		return nil, damaged("an array of %d of %.80q", n, c.name)
	}
	for range n {
		v, err := r.value(c.name[1])
		if err != nil {
			return nil, err
		}
		o.more = append(o.more, v)
	}
	return o, nil
}

// value reads a field's value.
func (r *javaReader) value(kind byte) (any, error) {
	switch kind {
	case 'B', 'Z':
		return r.fixed(1)
	case 'C', 'S':
		return r.fixed(2)
	case 'I', 'F':
		return r.fixed(4)
	case 'J', 'D':
		return r.fixed(8)
	case 'L', '[':
		return r.content()
	}
	return nil, damaged("a field of type %q in the index", kind)
}

// field gives a field; nil for one that is not there.
func (o *javaObject) field(name string) any {
	if o == nil {
		return nil
	}
	return o.fields[name]
}

// text is a field that is a text; "" for others.
func (o *javaObject) text(name string) string {
	s, _ := o.field(name).(string)
	return s
}

// elements are the objects that a list holds.
func (o *javaObject) elements() (out []*javaObject) {
	if o == nil {
		return nil
	}
	for _, v := range o.more {
		if e, ok := v.(*javaObject); ok && e != nil {
			out = append(out, e)
		}
	}
	return out
}

// list are the objects of the list in a field, or the values of the map from texts there.
func (o *javaObject) list(name string) []*javaObject {
	l, _ := o.field(name).(*javaObject)
	return l.elements()
}
