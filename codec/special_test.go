package codec

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

type base struct {
	ID   int64
	Tags []string
}

// coded says itself how it is encoded.
type coded struct{ n int }

func (c *coded) AppendWeft(dst []byte) []byte { return append(dst, byte(c.n)) }

func (c *coded) DecodeWeft(src []byte) error {
	if len(src) != 1 {
		return errors.New("one byte was expected")
	}
	c.n = int(src[0])
	return nil
}

type knot struct {
	N    int
	Kids []knot
	By   map[string]*knot
	Next *knot
}

func TestEmbeddedStructsAreTheirFields(t *testing.T) {
	type event struct {
		base
		*inner
		At time.Time
	}
	v := event{base{1, []string{"a"}}, &inner{B: "b"}, time.Unix(1, 2).UTC()}
	if got := roundTripOf(t, v); !reflect.DeepEqual(got, v) {
		t.Errorf("got %+v, expected %+v", got, v)
	}
	type key struct {
		base struct{ N int }
	}
	_ = key{}.base
	if _, err := KeyOf[key](); err == nil || !strings.Contains(err.Error(), "key.base: a field that is not exported") {
		t.Errorf("key with a hidden field: %v", err)
	}
}

func TestRefusedTypesAreNamedWithTheirField(t *testing.T) {
	type hides struct{ In struct{ secret int } }
	type number int
	type embedsNumber struct{ number }
	_ = embedsNumber{}.number
	type lent struct {
		coded
		Note string
	}
	type lentMessage struct {
		*wrapperspb.StringValue
		Note string
	}
	type byValue struct{ M wrapperspb.StringValue }
	type lists struct{ L []map[string]chan int }
	type iface struct{ E error }
	for want, of := range map[string]func() error{
		"hides.In.secret: a field that is not exported cannot be encoded": errOf[hides],
		"embedsNumber.number: a field that is not exported":               errOf[embedsNumber],
		"has the Codec of its embedded field coded":                       errOf[lent],
		"a protobuf message by its embedded field StringValue only":       errOf[*lentMessage],
		"byValue.M: wrapperspb.StringValue is a protobuf message":         errOf[byValue],
		"use *wrapperspb.StringValue":                                     errOf[byValue],
		"lists.L[](value): chan int cannot be encoded":                    errOf[lists],
		"iface.E: error cannot be encoded":                                errOf[iface],
		"func(int) cannot be encoded":                                     errOf[func(int)],
		"codec.tooDeep.Next.F: func() cannot be encoded; use numbers":     errOf[tooDeep],
	} {
		if err := of(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected %q in it", err, want)
		}
	}
}

type tooDeep struct {
	Next *struct{ F func() }
}

func errOf[T any]() error {
	_, err := Of[T]()
	return err
}

func TestTypesOfOtherPackagesByTheirMarshaler(t *testing.T) {
	type peer struct {
		Addr netip.Addr
		All  []netip.AddrPort
		C    coded
	}
	v := peer{netip.MustParseAddr("10.0.0.1"), []netip.AddrPort{netip.MustParseAddrPort("[::1]:80"), {}}, coded{7}}
	if got := roundTripOf(t, v); !reflect.DeepEqual(got, v) {
		t.Errorf("got %+v, expected %+v", got, v)
	}
	c, _ := Of[peer]()
	w := v
	c.Cloner()(&w)
	c.Keeper()(&w)
	if !reflect.DeepEqual(w, v) {
		t.Errorf("the clone is %+v, expected %+v", w, v)
	}
}

func TestProtobufMessagesAreDeterministicAndNilIsNotEmpty(t *testing.T) {
	type rec struct{ A, B *wrapperspb.StringValue }
	got := roundTripOf(t, rec{nil, wrapperspb.String("")})
	if got.A != nil || got.B == nil {
		t.Errorf("nil and empty messages come back as %v and %v", got.A, got.B)
	}
}

// chain is a list of n nodes.
func chain(n int) *node {
	var l *node
	for range n {
		l = &node{"x", l}
	}
	return l
}

func TestNestingHasALimit(t *testing.T) {
	c, err := Of[*node]()
	if err != nil {
		t.Fatal(err)
	}
	deepest := chain(maxDepth - 1) // and the nil at its end
	b := string(c.Encoder()(nil, &deepest))
	var got *node
	dec := c.Decoder()
	for range 2 { // the second time finds the counts where they were
		if n, err := dec(b, 0, &got); err != nil || n != len(b) {
			t.Fatalf("a chain of %d: %v", maxDepth-1, err)
		}
	}
	c.Cloner()(&deepest)
	if _, err := dec("\x01\x01x"+b, 0, &got); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "nested more than 10000 deep") {
		t.Errorf("a chain of one more: %v", err)
	}
	if _, err := dec(strings.Repeat("\x01\x01x", 1<<20), 0, &got); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a million pointers: %v", err)
	}
	if _, err := dec(b, 0, &got); err != nil {
		t.Errorf("after an error: %v", err)
	}
}

func TestAValueThatRefersToItselfIsFound(t *testing.T) {
	c, err := Of[knot]()
	if err != nil {
		t.Fatal(err)
	}
	loop := &knot{N: 1}
	loop.Next = loop
	inMap := &knot{By: map[string]*knot{}}
	inMap.By["me"] = inMap
	inSlice := &knot{Kids: make([]knot, 1)}
	inSlice.Kids[0] = *inSlice
	inSlice.Kids[0].Kids = inSlice.Kids
	for name, v := range map[string]*knot{"pointer": loop, "map": inMap, "slice": inSlice} {
		for what, do := range map[string]func(){
			"encode": func() { c.Encoder()(nil, v) },
			"clone":  func() { w := *v; c.Cloner()(&w) },
			"keep":   func() { w := *v; c.Keeper()(&w) },
		} {
			func() {
				defer func() {
					if text, _ := recover().(string); !strings.Contains(text, "codec.knot is nested more than 10000 deep: it refers to itself") {
						t.Errorf("%s of a loop by a %s: panic %q", what, name, text)
					}
				}()
				do()
			}()
		}
	}
	v := knot{N: 1, Kids: []knot{{N: 2}, {N: 3, Next: &knot{N: 4}}}, By: map[string]*knot{"a": {N: 5}, "nil": nil}}
	if got := roundTripOf(t, v); !reflect.DeepEqual(got, v) {
		t.Errorf("got %+v, expected %+v", got, v)
	}
}

// What a decoder accepts, it encodes to something that it reads as the same.
func FuzzDecodeRecursive(f *testing.F) {
	type rec struct {
		T knot
		A netip.Addr
		M map[[2]bool]*wrapperspb.BytesValue
		E map[struct{}]struct{}
		C coded
		W time.Time
	}
	c, err := Of[rec]()
	if err != nil {
		f.Fatal(err)
	}
	enc := c.Encoder()
	v := rec{T: knot{N: 1, Kids: []knot{{N: 2, By: map[string]*knot{"k": {}}}}, Next: &knot{}}, A: netip.IPv6Unspecified(),
		M: map[[2]bool]*wrapperspb.BytesValue{{true}: wrapperspb.Bytes([]byte{1})}, W: time.Unix(5, 0)}
	f.Add(enc(nil, &v))
	f.Add(enc(nil, &rec{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		dec := c.Decoder()
		var v, again rec
		if _, err := dec(string(b), 0, &v); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v is not ErrCorrupt", err)
			}
			return
		}
		out := enc(nil, &v)
		if n, err := dec(string(out), 0, &again); err != nil || n != len(out) {
			t.Fatalf("what was encoded is not read: %d of %d bytes, %v", n, len(out), err)
		}
	})
}

// thrifty is a Coder that uses its memory again, as big.Int.SetBytes does.
type thrifty struct{ b []byte }

func (c *thrifty) AppendWeft(dst []byte) []byte { return append(dst, c.b...) }

func (c *thrifty) DecodeWeft(src []byte) error {
	c.b = append(c.b[:0], src...)
	return nil
}

// A decoder's value is used for record after record, and clones are made in place: what a Coder reads goes into new memory.
func TestCodersDoNotShareMemory(t *testing.T) {
	c, err := Of[thrifty]()
	if err != nil {
		t.Fatal(err)
	}
	enc, dec := c.Encoder(), c.Decoder()
	src := string(enc(enc(nil, &thrifty{[]byte("one")}), &thrifty{[]byte("two")}))
	var v thrifty
	pos, err := dec(src, 0, &v)
	if err != nil {
		t.Fatal(err)
	}
	first := v
	if _, err = dec(src, pos, &v); err != nil || string(first.b) != "one" || string(v.b) != "two" {
		t.Errorf("read %q and %q, %v", first.b, v.b, err)
	}
	clone := v
	c.Cloner()(&clone)
	if clone.b[0] = 'T'; string(v.b) != "two" {
		t.Errorf("a change of the clone made the value %q", v.b)
	}
}
