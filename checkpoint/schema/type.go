package schema

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/codec"
)

// Kind tells types apart.
type Kind uint8

// The kinds.
const (
	Bool Kind = iota
	Int
	Uint
	Float
	Complex
	String
	Time
	// Opaque: bytes with a length before them, made by a codec.Coder.
	Opaque
	// Message: a protobuf message, with its length and 1 more before it.
	Message
	Slice
	Array
	Map
	// Table is a map as map and broadcast state store it.
	Table
	Pointer
	Struct
)

// Type is a type of stored values.
type Type struct {
	Kind Kind
	// Size of numbers in bytes; the length of an Array.
	Size int
	// Name of an Opaque or Message.
	Name string
	// Key of Map and Table; Elem of those, Slice, Array and Pointer.
	Key, Elem *Type
	Fields    []Field
}

// Field is a field of a struct.
type Field struct {
	Name string
	Type *Type
}

var (
	coderType = reflect.TypeFor[codec.Coder]()
	timeType  = reflect.TypeFor[time.Time]()
	protoType = reflect.TypeFor[proto.Message]()
	simple    = map[string]Type{
		"bool": {Kind: Bool, Size: 1}, "string": {Kind: String}, "time": {Kind: Time},
		"int8": {Kind: Int, Size: 1}, "int16": {Kind: Int, Size: 2}, "int32": {Kind: Int, Size: 4}, "int64": {Kind: Int, Size: 8},
		"uint8": {Kind: Uint, Size: 1}, "uint16": {Kind: Uint, Size: 2}, "uint32": {Kind: Uint, Size: 4}, "uint64": {Kind: Uint, Size: 8},
		"float32": {Kind: Float, Size: 4}, "float64": {Kind: Float, Size: 8}, "complex64": {Kind: Complex, Size: 8}, "complex128": {Kind: Complex, Size: 16},
	}
)

// Of writes the text of a type that package codec encodes; empty for others.
func Of(t reflect.Type) string {
	w := &texter{open: map[reflect.Type]int{}}
	s := w.text(t)
	if w.bad {
		return ""
	}
	return s
}

// TableOf writes the text of a table from key to value.
func TableOf(key, value reflect.Type) string {
	k, v := Of(key), Of(value)
	if k == "" || v == "" {
		return ""
	}
	return "table[" + k + "]" + v
}

type texter struct {
	open map[reflect.Type]int // types under way, with their number once something refers to them
	n    int
	bad  bool
}

func (w *texter) text(t reflect.Type) string {
	switch {
	case reflect.PointerTo(t).Implements(coderType):
		return "opaque(" + quoteName(t) + ")"
	case t == timeType:
		return "time"
	case t.Kind() == reflect.Pointer && t.Implements(protoType):
		return "message(" + quoteName(t.Elem()) + ")"
	}
	if n, recursive := w.open[t]; recursive {
		if n == 0 {
			w.n++
			n = w.n
			w.open[t] = n
		}
		return "#" + strconv.Itoa(n)
	}
	w.open[t] = 0
	s := w.composite(t)
	n := w.open[t]
	delete(w.open, t)
	if n > 0 {
		return fmt.Sprintf("#%d=%s", n, s)
	}
	return s
}

func quoteName(t reflect.Type) string { return strconv.Quote(t.String()) }

func (w *texter) composite(t reflect.Type) string {
	switch k := t.Kind(); k {
	case reflect.Int:
		return "int64" // 8 bytes on every platform
	case reflect.Uint:
		return "uint64"
	case reflect.Slice:
		return "[]" + w.text(t.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), w.text(t.Elem()))
	case reflect.Map:
		return "map[" + w.text(t.Key()) + "]" + w.text(t.Elem())
	case reflect.Pointer:
		return "*" + w.text(t.Elem())
	case reflect.Struct:
		var fields []string
		for i := range t.NumField() {
			if f := t.Field(i); f.Name != "_" {
				fields = append(fields, f.Name+" "+w.text(f.Type))
			}
		}
		return "struct{" + strings.Join(fields, "; ") + "}"
	default:
		if _, ok := simple[k.String()]; ok {
			return k.String()
		}
		w.bad = true
		return "?"
	}
}

// Bounds on foreign text.
const (
	maxDepth  = 64
	maxLength = 1 << 26
)

// Parse reads the text of a type.
func Parse(text string) (*Type, error) {
	p := &parser{src: text, numbered: map[int]*Type{}}
	t := p.parse(0)
	if p.err == nil && p.pos != len(text) {
		p.fail("something follows the type")
	}
	if p.err != nil {
		return nil, p.err
	}
	if t.empty(0) {
		return nil, fmt.Errorf("type %q refers to itself without a pointer, slice or map", text)
	}
	return t, nil
}

type parser struct {
	src      string
	pos      int
	numbered map[int]*Type
	err      error
}

func (p *parser) fail(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("type %q: %s at byte %d", p.src, what, p.pos)
	}
}

func (p *parser) eat(s string) bool {
	if strings.HasPrefix(p.src[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

func (p *parser) need(s string) {
	if p.err == nil && !p.eat(s) {
		p.fail(fmt.Sprintf("expected %q", s))
	}
}

func (p *parser) number() int {
	from := p.pos
	for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		p.pos++
	}
	n, err := strconv.Atoi(p.src[from:p.pos])
	if err != nil || n > maxLength {
		p.fail("expected a number up to 2^26")
		return 0
	}
	return n
}

func (p *parser) word() string {
	from := p.pos
	for p.pos < len(p.src) && !strings.ContainsRune(" ;{}[]()*=#\"", rune(p.src[p.pos])) {
		p.pos++
	}
	return p.src[from:p.pos]
}

func (p *parser) parse(depth int) *Type {
	t := &Type{}
	if depth > maxDepth {
		p.fail("it is too deep")
	}
	if p.err != nil {
		return t
	}
	switch {
	case p.eat("#"):
		n := p.number()
		if !p.eat("=") {
			if known := p.numbered[n]; known != nil {
				return known
			}
			p.fail("it refers to a type that is not around it")
			return t
		}
		p.numbered[n] = t
		inner := p.parse(depth + 1)
		if inner == t {
			p.fail("it is nothing but itself")
			return t
		}
		*t = *inner
	case p.eat("[]"):
		t.Kind, t.Elem = Slice, p.parse(depth+1)
	case p.eat("["):
		t.Kind, t.Size = Array, p.number()
		p.need("]")
		t.Elem = p.parse(depth + 1)
	case p.eat("*"):
		t.Kind, t.Elem = Pointer, p.parse(depth+1)
	case p.eat("map["):
		p.pair(t, Map, depth)
	case p.eat("table["):
		p.pair(t, Table, depth)
	case p.eat("struct{"):
		p.fields(t, depth)
	case p.eat("opaque("):
		p.named(t, Opaque)
	case p.eat("message("):
		p.named(t, Message)
	default:
		at := p.pos
		s, ok := simple[p.word()]
		if !ok {
			p.pos = at
			p.fail("expected a type")
		}
		*t = s
	}
	return t
}

func (p *parser) pair(t *Type, k Kind, depth int) {
	t.Kind, t.Key = k, p.parse(depth+1)
	p.need("]")
	t.Elem = p.parse(depth + 1)
}

func (p *parser) fields(t *Type, depth int) {
	t.Kind = Struct
	for first := true; p.err == nil && !p.eat("}"); first = false {
		if !first {
			p.need("; ")
		}
		name := p.word()
		p.need(" ")
		t.Fields = append(t.Fields, Field{name, p.parse(depth + 1)})
	}
}

func (p *parser) named(t *Type, k Kind) {
	quoted, err := strconv.QuotedPrefix(p.src[p.pos:])
	if err != nil {
		p.fail("expected a quoted name")
		return
	}
	t.Kind = k
	t.Name, _ = strconv.Unquote(quoted) // QuotedPrefix has checked it
	p.pos += len(quoted)
	p.need(")")
}

// empty tells a type that holds itself, which no value could.
func (t *Type) empty(depth int) bool {
	if depth > 2*maxDepth {
		return true
	}
	switch t.Kind {
	case Array:
		return t.Elem.empty(depth + 1)
	case Struct:
		for _, f := range t.Fields {
			if f.Type.empty(depth + 1) {
				return true
			}
		}
	}
	return false
}

// ErrType: the bytes are no value of the type.
var ErrType = errors.New("not a value of its type")
