package codec

import (
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"google.golang.org/protobuf/proto"
)

// program is the compiled form of one type. Functions take the address of the value.
type program struct {
	typ  string
	size uintptr
	flat bool
	// dense: flat, and the memory has no padding and no varying word size, so that its bytes are its encoding.
	dense bool
	// head, where it is not 0, is how many bytes of memory are the whole encoding: what follows is padding or blank fields.
	head int
	text bool // a string
	// least is how many bytes an encoding takes at least; 0 means that it takes none.
	least int
	enc   func(dst []byte, p unsafe.Pointer) []byte
	dec   func(src string, pos int, p unsafe.Pointer, a *arena) (int, error)
	// clone and keep are nil where there is nothing to do.
	clone func(p unsafe.Pointer)
	keep  func(p unsafe.Pointer)
	// walk panics where a value is nested deeper than maxDepth; nil where nothing is nested.
	walk func(p unsafe.Pointer, depth int)
	// begun: it is being compiled. recursive: it was met again meanwhile, so values of it may hold others.
	begun, recursive bool
}

// maxElements bounds a decoded count, also of elements of no bytes.
const maxElements = 1 << 26

type compiler struct {
	// done holds finished programs and, as placeholders, those under way, so that a type may refer to itself through a
	// pointer, slice or map.
	done map[reflect.Type]*program
	// slots is how many types of slices there are; each has a row of chunks in an arena.
	slots int
	// recursive: some type refers to itself.
	recursive bool
}

func newCompiler() *compiler { return &compiler{done: map[reflect.Type]*program{}} }

var (
	coderType = reflect.TypeFor[Coder]()
	timeType  = reflect.TypeFor[time.Time]()
	protoType = reflect.TypeFor[proto.Message]()
)

func (c *compiler) compile(t reflect.Type, path string) (*program, error) {
	if p, ok := c.done[t]; ok {
		if p.begun {
			p.recursive, c.recursive = true, true
		}
		return p, nil
	}
	p := &program{typ: t.String(), size: t.Size(), begun: true}
	c.done[t] = p
	if err := c.fill(p, t, path); err != nil {
		delete(c.done, t)
		return nil, err
	}
	p.begun = false
	if p.recursive {
		limitDepth(p)
	}
	return p, nil
}

func (c *compiler) fill(p *program, t reflect.Type, path string) error {
	if done, err := special(p, t, path); done || err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Bool:
		boolProgram(p)
	case reflect.Int8, reflect.Uint8:
		fixedProgram(p, 1)
	case reflect.Int16, reflect.Uint16:
		fixedProgram(p, 2)
	case reflect.Int32, reflect.Uint32, reflect.Float32:
		fixedProgram(p, 4)
	case reflect.Int64, reflect.Uint64, reflect.Float64, reflect.Complex64:
		fixedProgram(p, 8)
	case reflect.Complex128:
		fixedProgram(p, 16)
	case reflect.Int, reflect.Uint:
		// 8 bytes on the wire, whatever the platform's word is.
		fixedProgram(p, t.Size())
	case reflect.String:
		stringProgram(p)
	case reflect.Struct:
		return c.structProgram(p, t, path)
	case reflect.Array:
		return c.arrayProgram(p, t, path)
	case reflect.Slice:
		return c.sliceProgram(p, t, path)
	case reflect.Map:
		return c.mapProgram(p, t, path)
	case reflect.Pointer:
		return c.pointerProgram(p, t, path)
	default:
		what := t.String()
		if path != what {
			what = path + ": " + what
		}
		return fmt.Errorf("%s cannot be encoded; use numbers, strings, booleans, structs, slices, maps, pointers, time.Time, "+
			"proto.Message, or implement stream.Codec", what)
	}
	return nil
}

// structProgram joins neighbouring flat fields without padding between them into one copy.
func (c *compiler) structProgram(p *program, t reflect.Type, path string) error {
	type step struct {
		off uintptr
		p   *program
	}
	var steps []step
	p.flat = true
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			continue
		}
		if hidden(f) {
			return fmt.Errorf("%s.%s: a field that is not exported cannot be encoded; export it, or implement stream.Codec for %s", path, f.Name, t)
		}
		fp, err := c.compile(f.Type, path+"."+f.Name)
		if err != nil {
			return err
		}
		p.flat = p.flat && fp.flat
		p.least += fp.least
		if n := len(steps); n > 0 && fp.dense && steps[n-1].p.dense && steps[n-1].off+steps[n-1].p.size == f.Offset {
			joined := &program{size: steps[n-1].p.size + fp.size}
			fixedProgram(joined, joined.size)
			steps[n-1].p = joined
			continue
		}
		steps = append(steps, step{f.Offset, fp})
	}
	if len(steps) == 1 && steps[0].p.dense && steps[0].p.size == p.size {
		fixedProgram(p, p.size)
		return nil
	}
	if len(steps) == 1 && steps[0].off == 0 && steps[0].p.dense {
		p.enc, p.dec, p.head = steps[0].p.enc, steps[0].p.dec, int(steps[0].p.size)
		return nil
	}
	p.enc = func(dst []byte, ptr unsafe.Pointer) []byte {
		for i := range steps {
			dst = steps[i].p.enc(dst, unsafe.Add(ptr, steps[i].off))
		}
		return dst
	}
	p.dec = func(src string, pos int, ptr unsafe.Pointer, a *arena) (int, error) {
		var err error
		for i := range steps {
			if pos, err = steps[i].p.dec(src, pos, unsafe.Add(ptr, steps[i].off), a); err != nil {
				return pos, err
			}
		}
		return pos, nil
	}
	var clones, keeps []step
	p.walk = func(ptr unsafe.Pointer, depth int) {
		for i := range steps {
			if walk := steps[i].p.walk; walk != nil {
				walk(unsafe.Add(ptr, steps[i].off), depth)
			}
		}
	}
	for _, s := range steps {
		// A placeholder of a recursive type is a pointer, slice or map, which sets these before it compiles what it refers to.
		if s.p.clone != nil {
			clones = append(clones, s)
		}
		if s.p.keep != nil {
			keeps = append(keeps, s)
		}
	}
	if len(clones) > 0 {
		p.clone = func(ptr unsafe.Pointer) {
			for i := range clones {
				clones[i].p.clone(unsafe.Add(ptr, clones[i].off))
			}
		}
	}
	if len(keeps) > 0 {
		p.keep = func(ptr unsafe.Pointer) {
			for i := range keeps {
				keeps[i].p.keep(unsafe.Add(ptr, keeps[i].off))
			}
		}
	}
	return nil
}
