package schema

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/codec"
)

type innerOld struct {
	A    int32
	Gone []string
	B    string
}

type innerNew struct {
	B   string
	New *int64
	A   int32
}

type oldValue struct {
	Name string
	In   []innerOld
	By   map[string]innerOld
	Gone map[string][]float32
	Flag bool
	Next *oldValue
}

type newValue struct {
	At    time.Time
	Name  string
	In    []innerNew
	By    map[string]innerNew
	Flag  bool
	Fresh struct {
		X [2]bool
		S string
	}
	Next *newValue
}

func convert[A, B any](t *testing.T, v A) (out B) {
	t.Helper()
	from, to := Of(reflect.TypeFor[A]()), Of(reflect.TypeFor[B]())
	c, err := NewConverter(from, to)
	if err != nil {
		t.Fatal(err)
	}
	ca, err1 := codec.Of[A]()
	cb, err2 := codec.Of[B]()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	b := ca.Encoder()([]byte("x"), &v)
	got, pos, err := c.Convert(nil, string(b), 1)
	if err != nil || pos != len(b) {
		t.Fatalf("read to %d of %d: %v", pos, len(b), err)
	}
	if n, err := cb.Decoder()(string(got), 0, &out); err != nil || n != len(got) {
		t.Fatalf("decoded %d of %d bytes: %v", n, len(got), err)
	}
	for i := 1; i < len(b); i++ {
		if _, _, err := c.Convert(nil, string(b[:i]), 1); err == nil {
			t.Fatalf("%d of %d bytes were converted", i, len(b))
		}
	}
	return out
}

func TestConvert(t *testing.T) {
	old := oldValue{Name: "n", In: []innerOld{{1, []string{"x", "y"}, "b"}, {B: "c"}}, By: map[string]innerOld{"k": {A: -2}}, Gone: map[string][]float32{"q": {1}}, Flag: true,
		Next: &oldValue{Name: "m"}}
	want := newValue{Name: "n", In: []innerNew{{B: "b", A: 1}, {B: "c"}}, By: map[string]innerNew{"k": {A: -2}}, Flag: true, Next: &newValue{Name: "m"}}
	got := convert[oldValue, newValue](t, old)
	if !got.At.IsZero() || !got.Next.At.IsZero() {
		t.Error(got.At)
	}
	got.At, got.Next.At = time.Time{}, time.Time{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if back := convert[newValue, oldValue](t, want); back.Name != "n" || len(back.In) != 2 || back.Gone != nil || back.Next.Name != "m" {
		t.Errorf("%+v", back)
	}
}

func TestNotConvertible(t *testing.T) {
	if c, err := NewConverter("int64", "int64"); c != nil || err != nil {
		t.Error(c, err)
	}
	for from, to := range map[string]string{
		"struct{A int64}":                     "struct{A int32}",
		"struct{A struct{B []string}}":        "struct{A struct{B []bool}}",
		"struct{A int64; B int8}":             "struct{A int64; C opaque(\"x\")}",
		"string":                              "",
		"#1=*struct{V int16; Next #1}":        "#1=*struct{V int32; Next #1}",
		"map[string]int8":                     "map[int8]int8",
		"[2]int8":                             "[3]int8",
		"struct{A []struct{B opaque(\"x\")}}": "struct{A []struct{B opaque(\"y\")}}",
	} {
		if _, err := NewConverter(from, to); err == nil {
			t.Errorf("%s to %s", from, to)
		} else if strings.HasPrefix(to, "struct{A struct") && !strings.Contains(err.Error(), "value.A.B[] was stored as string and is bool now") {
			t.Error(err)
		}
	}
}
