package schema

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/weft-project/weft/codec"
)

type node struct {
	V    int16
	Next *node
}

type order struct {
	User   string
	N      int
	Price  float64
	Paid   bool
	Tags   []string
	Raw    []byte
	Hash   [3]byte
	By     map[int32]string
	At     time.Time
	First  *node
	_      int
	Inner  struct{ A, B uint8 }
	Small  float32
	Nested [][]int64
}

func show[T any](t *testing.T, v T) (text, shown string) {
	t.Helper()
	c, err := codec.Of[T]()
	if err != nil {
		t.Fatal(err)
	}
	text = Of(reflect.TypeFor[T]())
	typ, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	b := c.Encoder()(nil, &v)
	out, pos, err := typ.JSON(nil, string(b), 0)
	if err != nil || pos != len(b) {
		t.Fatalf("%s: read %d of %d bytes: %v", text, pos, len(b), err)
	}
	if !json.Valid(out) {
		t.Fatalf("%s is no JSON", out)
	}
	for i := range b {
		if out, _, err := typ.JSON(nil, string(b[:i]), 0); err == nil {
			t.Fatalf("%d of %d bytes were shown as %s", i, len(b), out)
		}
	}
	return text, string(out)
}

func TestShow(t *testing.T) {
	o := order{User: "ann \"x\"", N: -7, Price: 1.5, Paid: true, Tags: []string{"a", ""}, Raw: []byte{1, 2}, Hash: [3]byte{3}, By: map[int32]string{-1: "m"},
		At: time.Date(2024, 2, 29, 12, 0, 0, 5, time.UTC), First: &node{1, &node{2, nil}}, Small: 0.1, Nested: [][]int64{nil, {}, {9}}}
	o.Inner.B = 200
	text, shown := show(t, o)
	const wantText = "struct{User string; N int64; Price float64; Paid bool; Tags []string; Raw []uint8; Hash [3]uint8; By map[int32]string; At time; " +
		"First #1=*struct{V int16; Next #1}; Inner struct{A uint8; B uint8}; Small float32; Nested [][]int64}"
	if text != wantText {
		t.Errorf("type %s\nwant %s", text, wantText)
	}
	const want = `{"User":"ann \"x\"","N":-7,"Price":1.5,"Paid":true,"Tags":["a",""],"Raw":"AQI=","Hash":"AwAA","By":{"-1":"m"},"At":"2024-02-29T12:00:00.000000005Z",` +
		`"First":{"V":1,"Next":{"V":2,"Next":null}},"Inner":{"A":0,"B":200},"Small":0.1,"Nested":[null,[],[9]]}`
	if shown != want {
		t.Errorf("shown %s\nwant  %s", shown, want)
	}
	if _, s := show(t, math.NaN()); s != `"NaN"` {
		t.Error(s)
	}
	if _, s := show(t, [2]complex64{1, 2i}); s != "[[1,0],[0,2]]" {
		t.Error(s)
	}
	if s := Of(reflect.TypeFor[struct{ F func() }]()); s != "" {
		t.Errorf("a type that cannot be encoded: %q", s)
	}
	if s := TableOf(reflect.TypeFor[string](), reflect.TypeFor[int8]()); s != "table[string]int8" {
		t.Error(s)
	}
}

func TestBadTexts(t *testing.T) {
	for _, s := range []string{"", "int", "[]", "[3]", "[99999999999]int8", "struct{", "struct{A int8, B int8}", "map[string", "#1", "#1=struct{A #1}", "#1=#1", "opaque(x)", "int8 ", "struct{A int8; }"} {
		if _, err := Parse(s); err == nil {
			t.Errorf("%q is a type", s)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add("struct{A string; B []int64}", []byte{1, 'x', 2, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add("[67108864]struct{}", []byte{})
	f.Add("map[[2]bool]*#1=struct{N *#1}", []byte{2, 0, 1, 1, 0})
	f.Fuzz(func(t *testing.T, text string, b []byte) {
		typ, err := Parse(text)
		if err != nil {
			return
		}
		if out, _, err := typ.JSON(nil, string(b), 0); err == nil && !json.Valid(out) {
			t.Errorf("%s is no JSON", out)
		}
		// Converted to what it is already, and to another type with the same fields, if any.
		if out, pos, err := (&Converter{typ, typ}).Convert(nil, string(b), 0); err == nil && pos > len(b) {
			t.Errorf("%d bytes of %d: %x", pos, len(b), out)
		}
	})
}
