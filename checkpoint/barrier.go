package checkpoint

import (
	"encoding/binary"
	"fmt"
)

// barrierVersion is the first byte of a barrier between workers.
const barrierVersion = 1

// barrierHead is how many bytes come before the target.
const barrierHead = 1 + 8 + 8 + 1 + 1

// AppendBarrier appends a barrier as it travels in channels (docs/formats/checkpoint.md).
func AppendBarrier(dst []byte, b Barrier) []byte {
	dst = append(dst, barrierVersion)
	dst = binary.BigEndian.AppendUint64(dst, b.Epoch)
	dst = binary.BigEndian.AppendUint64(dst, uint64(b.ID))
	var flags byte
	for i, f := range []bool{b.Drain, b.Canonical, b.Unaligned} {
		if f {
			flags |= 1 << i
		}
	}
	dst = append(dst, byte(b.Kind), flags)
	return append(dst, b.Target...)
}

// DecodeBarrier reads what AppendBarrier has written.
func DecodeBarrier(src []byte) (Barrier, error) {
	if len(src) < barrierHead || src[0] != barrierVersion || Kind(src[17]) > Stop || src[18] > 7 {
		return Barrier{}, fmt.Errorf("barrier of %d bytes: expected version %d, and a kind and flags that it has", len(src), barrierVersion)
	}
	flags := src[18]
	return Barrier{Ref: Ref{binary.BigEndian.Uint64(src[1:]), int64(binary.BigEndian.Uint64(src[9:]))}, Kind: Kind(src[17]),
		Drain: flags&1 != 0, Canonical: flags&2 != 0, Unaligned: flags&4 != 0, Target: string(src[barrierHead:])}, nil
}
