package codec

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

type inner struct {
	A uint8
	B string
	C []int32
}

type node struct {
	Name string
	Next *node
}

type wide struct {
	I8  int8
	I   int
	F   float64
	B   bool
	S   string
	T   time.Time
	In  inner
	P   *inner
	M   map[string][]inner
	Arr [3]string
	Raw []byte
	Z   [4]uint16
	N   *node
	W   *wrapperspb.StringValue
}

func roundTripOf[T any](t *testing.T, v T) T {
	t.Helper()
	c, err := Of[T]()
	if err != nil {
		t.Fatal(err)
	}
	b := c.Encoder()(nil, &v)
	var got T
	n, err := c.Decoder()(string(b), 0, &got)
	if err != nil || n != len(b) {
		t.Fatalf("decoded %d of %d bytes: %v", n, len(b), err)
	}
	return got
}

func TestRoundTrip(t *testing.T) {
	v := wide{I8: -3, I: -1 << 40, F: 1.5, B: true, S: strings.Repeat("x", 300), T: time.Unix(12, 34).UTC(),
		In: inner{1, "b", []int32{1, -2}}, P: &inner{B: "p"}, M: map[string][]inner{"k": {{A: 9}}, "nil": nil},
		Arr: [3]string{"", "y", "z"}, Raw: []byte{}, Z: [4]uint16{1, 2, 3, 4}, N: &node{"a", &node{"b", nil}}}
	got := roundTripOf(t, v)
	if !reflect.DeepEqual(got, v) {
		t.Fatalf("got  %+v\nwant %+v", got, v)
	}
	v.W = wrapperspb.String("hello")
	if got := roundTripOf(t, v); got.W.GetValue() != "hello" {
		t.Fatalf("proto field: %v", got.W)
	}
	if roundTripOf(t, "word") != "word" || roundTripOf(t, int64(-5)) != -5 || roundTripOf(t, [2]bool{true, false}) != [2]bool{true, false} {
		t.Fatal("plain values do not come back")
	}
}

func TestWhatCannotBeEncodedIsNamed(t *testing.T) {
	type bad struct{ In struct{ F func() } }
	if _, err := Of[bad](); err == nil || !strings.Contains(err.Error(), "bad.In.F: func() cannot be encoded") {
		t.Fatalf("got %v", err)
	}
	type badKey struct{ S struct{ F float64 } }
	if _, err := KeyOf[badKey](); err == nil || !strings.Contains(err.Error(), "badKey.S.F: float64 cannot be a key") {
		t.Fatalf("got %v", err)
	}
}

func TestCloneSharesNothingMutable(t *testing.T) {
	c, _ := Of[wide]()
	v := wide{In: inner{C: []int32{1}}, P: &inner{C: []int32{2}}, M: map[string][]inner{"k": {{A: 1}}}, Raw: []byte("r")}
	w := v
	c.Cloner()(&w)
	w.In.C[0], w.P.C[0], w.Raw[0], w.M["k"][0].A = 9, 9, 9, 9
	if v.In.C[0] != 1 || v.P.C[0] != 2 || v.Raw[0] != 'r' || v.M["k"][0].A != 1 {
		t.Fatalf("the clone shares memory: %+v", v)
	}
}

func TestKindsOfTypes(t *testing.T) {
	flat, _ := Of[struct{ A, B int64 }]()
	str, _ := Of[struct{ S string }]()
	sl, _ := Of[struct{ S []int }]()
	if !flat.Flat() || flat.Keeper() != nil || !str.Immutable() || str.Keeper() == nil || sl.Immutable() {
		t.Fatal("flat, immutable and mutable types are not told apart")
	}
}

func TestEncodingAllocatesNothing(t *testing.T) {
	type rec struct {
		ID   int64
		Name string
		V    [4]int32
	}
	c, _ := Of[rec]()
	enc, dec := c.Encoder(), c.Decoder()
	v := &rec{1, "name", [4]int32{1, 2, 3, 4}}
	buf := make([]byte, 0, 256)
	src := string(enc(nil, v))
	got := new(rec)
	if n := testing.AllocsPerRun(100, func() {
		buf = enc(buf[:0], v)
		if _, err := dec(src, 0, got); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations for each record, want 0", n)
	}
}

func TestKeyGroupsFollowTheCanonicalEncoding(t *testing.T) {
	type pair struct {
		A, B string
	}
	k, _ := KeyOf[pair]()
	if k.Hash(pair{"ab", "c"}) == k.Hash(pair{"a", "bc"}) {
		t.Fatal("strings run into each other")
	}
	i, _ := KeyOf[int64]()
	if i.Hash(7) != i.Hasher()(7) {
		t.Fatal("the short way hashes differently")
	}
	s, _ := KeyOf[string]()
	if s.Hash("weft") != s.Hasher()("weft") {
		t.Fatal("the short way hashes differently")
	}
	for _, h := range []uint64{0, 1 << 63, ^uint64(0)} {
		g := KeyGroup(h, 128)
		if g < 0 || g > 127 || SubtaskOf(g, 128, 3) > 2 {
			t.Fatalf("hash %x: group %d", h, g)
		}
	}
}

func FuzzDecode(f *testing.F) {
	c, err := Of[wide]()
	if err != nil {
		f.Fatal(err)
	}
	v := wide{S: "s", M: map[string][]inner{"k": {{A: 1}}}, N: &node{Name: "n"}}
	f.Add(c.Encoder()(nil, &v))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got wide
		n, err := c.Decoder()(string(b), 0, &got)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("not marked as corrupt: %v", err)
			}
			return
		}
		again := c.Encoder()(nil, &got)
		var twice wide
		if _, err := c.Decoder()(string(again), 0, &twice); err != nil {
			t.Fatalf("%d bytes decoded, encoded again, do not decode: %v", n, err)
		}
	})
}

// Keys that the canonical encoding takes for equal are equal once they are normal.
func TestKeyNormalizer(t *testing.T) {
	type slot struct {
		At   [2]time.Time
		Name string
		_    int32
	}
	k, err := KeyOf[slot]()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	a := slot{At: [2]time.Time{now, now}, Name: "x"}
	b := slot{At: [2]time.Time{now.UTC().Round(0), now.In(time.FixedZone("here", 7200))}, Name: "x"}
	if a == b || string(k.Append(nil, &a)) != string(k.Append(nil, &b)) {
		t.Fatal("the test's keys are not what it is about")
	}
	f := k.Normalizer()
	f(&a)
	f(&b)
	if a != b || !a.At[1].Equal(now) {
		t.Errorf("%v and %v differ", a, b)
	}
	plain, err := KeyOf[[3]string]()
	if err != nil || plain.Normalizer() != nil {
		t.Errorf("strings need no normalizer: %v", err)
	}
}

// What Dense says is what Encoder writes and Decoder reads.
func TestDenseIsTheEncoding(t *testing.T) {
	type padded struct {
		A int64
		B [5]byte
	}
	type mixed struct {
		A int64
		S string
	}
	type gap struct {
		A int8
		B int64
	}
	v := padded{-2, [5]byte{1, 2, 3, 4, 5}}
	c, err := Of[padded]()
	if err != nil {
		t.Fatal(err)
	}
	b := c.Encoder()(nil, &v)
	if c.Dense() != 13 || len(b) != 13 || !bytes.Equal(b, unsafe.Slice((*byte)(unsafe.Pointer(&v)), 13)) {
		t.Errorf("%d bytes are dense, %d were written: %v", c.Dense(), len(b), b)
	}
	if got := roundTripOf(t, v); got != v {
		t.Errorf("%v came back as %v", v, got)
	}
	if _, err := c.Decoder()(string(b[:12]), 0, &v); !errors.Is(err, ErrCorrupt) {
		t.Errorf("cut short: %v", err)
	}
	for name, got := range map[string]int{"numbers": dense[[3]int64](t), "a number": dense[int64](t), "nothing": dense[struct{}](t),
		"a string": dense[string](t), "mixed": dense[mixed](t), "a gap": dense[gap](t), "a boolean": dense[bool](t)} {
		if want := map[string]int{"numbers": 24, "a number": 8}[name]; got != want {
			t.Errorf("%s: %d dense bytes, expected %d", name, got, want)
		}
	}
}

func dense[T any](t *testing.T) int {
	t.Helper()
	c, err := Of[T]()
	if err != nil {
		t.Fatal(err)
	}
	return c.Dense()
}
