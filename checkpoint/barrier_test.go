package checkpoint

import (
	"bytes"
	"testing"
)

func TestBarriersTravel(t *testing.T) {
	for _, b := range []Barrier{{Ref: Ref{1 << 63, 7}}, {Ref: Ref{2, 3}, Kind: Stop, Drain: true, Canonical: true, Unaligned: true, Target: "hdfs:///s/1"}} {
		got, err := DecodeBarrier(AppendBarrier(nil, b))
		if err != nil || got != b {
			t.Errorf("%v, %+v, expected %+v", err, got, b)
		}
	}
}

func FuzzDecodeBarrier(f *testing.F) {
	f.Add(AppendBarrier(nil, Barrier{Ref: Ref{2, 3}, Kind: Savepoint, Canonical: true, Target: "x"}))
	f.Fuzz(func(t *testing.T, src []byte) {
		if b, err := DecodeBarrier(src); err == nil && !bytes.Equal(AppendBarrier(nil, b), src) {
			t.Errorf("%+v is not %x", b, src)
		}
	})
}
