package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// ErrDamaged marks bytes that are not what was written.
var ErrDamaged = errors.New("damaged")

// Decode reads a manifest and checks it. Errors wrap ErrDamaged, but for a version that this release does not know.
func Decode(b []byte) (*Manifest, error) {
	r, err := open(b, magic, "manifest")
	if err != nil {
		return nil, err
	}
	m := &Manifest{Kind: Kind(r.octet()), Job: r.text(), JobName: r.text(), ID: r.number(), Epoch: r.sum(), Triggered: r.number(),
		Writer: r.text(), Base: r.text()}
	m.Operators = r.operators()
	if err := r.done(); err != nil {
		return nil, err
	}
	if err := m.Check(); err != nil {
		return nil, fmt.Errorf("%w manifest: %w", ErrDamaged, err)
	}
	return m, nil
}

// DecodeSnapshot reads what EncodeSnapshot has written.
func DecodeSnapshot(b []byte) ([]Operator, error) {
	r, err := open(b, snapMagic, "snapshot")
	if err != nil {
		return nil, err
	}
	ops := r.operators()
	if err := r.done(); err != nil {
		return nil, err
	}
	if err := checkOperators(ops); err != nil {
		return nil, fmt.Errorf("%w snapshot: %w", ErrDamaged, err)
	}
	return ops, nil
}

// open checks what is around the fields.
func open(b []byte, magic, what string) (*reader, error) {
	if len(b) < overhead || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: not a %s of Weft: it does not begin with %s", ErrDamaged, what, magic)
	}
	if v := b[len(magic)]; v != Version {
		return nil, fmt.Errorf("%s of version %d: this release reads version %d", what, v, Version)
	}
	end := len(b) - 8
	if have, want := xxhash.Sum64(b[:end]), binary.BigEndian.Uint64(b[end:]); have != want {
		return nil, fmt.Errorf("%w %s: checksum %016x, expected %016x", ErrDamaged, what, have, want)
	}
	return &reader{src: string(b[:end]), pos: len(magic) + 1, what: what}, nil
}

// reader reads fields; after the first error it gives zero values.
type reader struct {
	src  string
	pos  int
	what string
	err  error
}

func (r *reader) done() error {
	if r.err == nil && r.pos != len(r.src) {
		r.fail("more bytes than fields")
	}
	return r.err
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w %s: %s at byte %d", ErrDamaged, r.what, what, r.pos)
	}
	r.pos = len(r.src)
}

func (r *reader) octet() byte {
	if r.pos >= len(r.src) {
		r.fail("cut short")
		return 0
	}
	r.pos++
	return r.src[r.pos-1]
}

func (r *reader) flag() bool {
	b := r.octet()
	if b > 1 {
		r.fail("a flag is neither 0 nor 1")
	}
	return b == 1
}

// size reads a length in bytes of something that lies elsewhere.
func (r *reader) size() int64 {
	n, used := binary.Uvarint([]byte(r.src[r.pos:min(len(r.src), r.pos+binary.MaxVarintLen64)]))
	if used <= 0 || n > math.MaxInt64 {
		r.fail("a number is cut short or too large")
		return 0
	}
	r.pos += used
	return int64(n)
}

func (r *reader) number() int64 {
	n, used := binary.Varint([]byte(r.src[r.pos:min(len(r.src), r.pos+binary.MaxVarintLen64)]))
	if used <= 0 {
		r.fail("a number is cut short or too large")
		return 0
	}
	r.pos += used
	return n
}

// small reads a number of at most 32768.
func (r *reader) small() int {
	n := r.size()
	if n > 1<<15 {
		r.fail("a parallelism is over 32768")
		return 0
	}
	return int(n)
}

// count reads how many elements follow, each of at least one byte.
func (r *reader) count() int {
	n := r.size()
	if n > int64(len(r.src)-r.pos) {
		r.fail("a count is larger than what follows")
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.count()
	r.pos += n
	return r.src[r.pos-n : r.pos]
}

func (r *reader) sum() uint64 {
	if len(r.src)-r.pos < 8 {
		r.fail("cut short")
		return 0
	}
	r.pos += 8
	return binary.BigEndian.Uint64([]byte(r.src[r.pos-8 : r.pos]))
}

// many reads a list. It grows as elements are read: foreign bytes make it no longer than they are.
func many[T any](r *reader, one func() T) []T {
	n := r.count()
	var out []T
	for i := 0; i < n && r.err == nil; i++ {
		out = append(out, one())
	}
	return out
}

func (r *reader) operators() []Operator { return many(r, r.operator) }

func (r *reader) operator() Operator {
	op := Operator{ID: r.text(), UID: r.text(), Name: r.text(), Vertex: r.text(), Parallelism: r.small(), MaxParallelism: r.small()}
	op.States = many(r, func() State {
		s := State{Name: r.text(), Kind: StateKind(r.octet()), Key: r.text(), Value: r.text()}
		if s.Kind < Keyed || s.Kind > Broadcast {
			r.fail("an unknown kind of state")
		}
		return s
	})
	op.Subtasks = many(r, r.subtask)
	if r.flag() {
		h := r.handle()
		op.Coordinator = &h
	}
	return op
}

func (r *reader) subtask() Subtask {
	s := Subtask{Index: r.small(), Finished: r.flag()}
	s.Keyed = many(r, func() Groups {
		g := Groups{First: r.small()}
		g.Pieces = many(r, func() Piece {
			p := Piece{Length: r.size()}
			if p.Length > 0 {
				p.Sum = r.sum()
			}
			return p
		})
		g.Data = r.handle()
		return g
	})
	s.Lists = many(r, func() List {
		l := List{Name: r.text()}
		l.Lengths = many(r, r.size)
		l.Data = r.handle()
		return l
	})
	return s
}

func (r *reader) handle() Handle {
	h := Handle{File: r.text()}
	if h.File == "" {
		b := []byte(r.text())
		if len(b) == 0 {
			b = nil
		}
		return InlineHandle(b)
	}
	if !cleanName(h.File) {
		r.fail(fmt.Sprintf("the name of a file, %q, leads out of the directory", h.File))
	}
	h.Offset, h.Length, h.Sum = r.size(), r.size(), r.sum()
	if h.Offset > math.MaxInt64-h.Length {
		r.fail("a piece ends beyond all files")
	}
	return h
}

// cleanName tells that a name stays below the directory that it is relative to.
func cleanName(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsRune(part, 0) {
			return false
		}
	}
	return true
}
