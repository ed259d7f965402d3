package schema

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// JSON appends what src holds at pos, as JSON, and gives the position after it. Keys of maps that are no strings become the text of
// their JSON; bytes that nobody can read become base64; a number that JSON has not (NaN) a string.
func (t *Type) JSON(dst []byte, src string, pos int) ([]byte, int, error) {
	j := &shower{dst: dst, src: src, pos: pos, left: 1<<16 + 4*len(src)}
	j.value(t, 0)
	return j.dst, j.pos, j.err
}

// shower reads a value and writes it. left bounds what values without bytes, which foreign text may ask for, can make of it.
type shower struct {
	dst  []byte
	src  string
	pos  int
	left int
	err  error
}

func (j *shower) fail(what string) {
	if j.err == nil {
		j.err = fmt.Errorf("%w: %s at byte %d", ErrType, what, j.pos)
	}
}

func (j *shower) take(n int) string {
	if j.err != nil || n > len(j.src)-j.pos || n < 0 {
		j.fail("cut short")
		return strings.Repeat("\x00", max(0, min(n, 16)))
	}
	j.pos += n
	return j.src[j.pos-n : j.pos]
}

func (j *shower) uvarint() int {
	n, used := binary.Uvarint([]byte(j.src[j.pos:min(len(j.src), j.pos+binary.MaxVarintLen64)]))
	if used <= 0 || n > maxLength {
		j.fail("a count is cut short or too large")
		return 0
	}
	j.pos += used
	return int(n)
}

func (j *shower) fixed(n int) uint64 {
	var b [8]byte
	copy(b[:], j.take(n))
	return binary.LittleEndian.Uint64(b[:])
}

func (j *shower) write(s string) { j.dst = append(j.dst, s...) }

func (j *shower) quote(s string) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		j.fail(err.Error())
	}
	j.dst = append(j.dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

func (j *shower) value(t *Type, depth int) {
	if j.left--; j.left < 0 || depth > 10_000 {
		j.fail("there is more in it than its bytes can hold")
	}
	if j.err != nil {
		return
	}
	switch t.Kind {
	case Bool:
		b := j.fixed(1)
		if b > 1 {
			j.fail("a boolean is neither 0 nor 1")
		}
		j.write(strconv.FormatBool(b == 1))
	case Int:
		shift := 64 - 8*t.Size
		j.write(strconv.FormatInt(int64(j.fixed(t.Size)<<shift)>>shift, 10))
	case Uint:
		j.write(strconv.FormatUint(j.fixed(t.Size), 10))
	case Float:
		j.float(t.Size)
	case Complex:
		j.write("[")
		j.float(t.Size / 2)
		j.write(",")
		j.float(t.Size / 2)
		j.write("]")
	case String:
		j.quote(j.take(j.uvarint()))
	case Time:
		var at time.Time
		if err := at.UnmarshalBinary([]byte(j.take(j.uvarint()))); err != nil {
			j.fail(err.Error())
		}
		j.quote(at.Format(time.RFC3339Nano))
	case Opaque:
		j.quote(base64.StdEncoding.EncodeToString([]byte(j.take(j.uvarint()))))
	default:
		j.composite(t, depth)
	}
}

func (j *shower) float(size int) {
	bits := j.fixed(size)
	v := math.Float64frombits(bits)
	if size == 4 {
		v = float64(math.Float32frombits(uint32(bits)))
	}
	text := strconv.FormatFloat(v, 'g', -1, 8*size)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		text = strconv.Quote(text)
	}
	j.write(text)
}

func (j *shower) composite(t *Type, depth int) {
	switch t.Kind {
	case Message:
		if n := j.uvarint(); n > 0 {
			j.quote(base64.StdEncoding.EncodeToString([]byte(j.take(n - 1))))
			return
		}
		j.write("null")
	case Pointer:
		switch b := j.fixed(1); b {
		case 0:
			j.write("null")
		case 1:
			j.value(t.Elem, depth+1)
		default:
			j.fail("a pointer is neither nil nor set")
		}
	case Slice, Map:
		n := j.uvarint()
		if n == 0 {
			j.write("null")
			return
		}
		j.elements(t, n-1, depth)
	case Table:
		j.elements(t, j.uvarint(), depth)
	case Array:
		j.elements(t, t.Size, depth)
	case Struct:
		j.write("{")
		for i, f := range t.Fields {
			if i > 0 {
				j.write(",")
			}
			j.quote(f.Name)
			j.write(":")
			j.value(f.Type, depth+1)
		}
		j.write("}")
	}
}

func (j *shower) elements(t *Type, n, depth int) {
	if t.Key == nil && t.Elem.Kind == Uint && t.Elem.Size == 1 { // bytes
		j.quote(base64.StdEncoding.EncodeToString([]byte(j.take(n))))
		return
	}
	brackets := "[]"
	if t.Key != nil {
		brackets = "{}"
	}
	j.write(brackets[:1])
	for i := 0; i < n && j.err == nil; i++ {
		if i > 0 {
			j.write(",")
		}
		if t.Key != nil {
			j.key(t.Key, depth+1)
			j.write(":")
		}
		j.value(t.Elem, depth+1)
	}
	j.write(brackets[1:])
}

// key writes a map's key as a string.
func (j *shower) key(t *Type, depth int) {
	if t.Kind == String || t.Kind == Time {
		j.value(t, depth)
		return
	}
	at := len(j.dst)
	j.value(t, depth)
	text := string(j.dst[at:])
	j.dst = j.dst[:at]
	j.quote(text)
}
