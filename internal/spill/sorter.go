package spill

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

const (
	// itemSize is the memory of an entry of the index.
	itemSize = 24
	// headSize is what stands before a record in a run: prefix, length of the key, length of key and payload.
	headSize = 8 + 4 + 4
	// minBudget is the least memory a Sorter works with.
	minBudget = 64 << 10
	// minChunk and maxChunk bound the pieces in which memory is taken; runs are written and read in pieces of such sizes too.
	minChunk = 8 << 10
	maxChunk = 1 << 20
	// maxFanIn is how many runs are merged at once at most.
	maxFanIn = 256
)

// Record is what a Sorter was given. Slices are valid until the next one is asked for.
type Record struct {
	Prefix       uint64
	Key, Payload []byte
}

// Sorter sorts records by prefix, then by key as bytes; equal ones stay in the order in which they came.
type Sorter struct {
	space  *Space
	budget int
	chunk  int // size of a piece of memory

	chunks [][]byte
	large  int64 // bytes of chunks of records that are larger than a chunk
	at     int   // the chunk that is being filled
	items  []item

	file *File
	runs []span // in file, oldest first
	err  error
}

// item is a record in memory: where it is, in order of arrival.
type item struct {
	prefix uint64
	place  uint64 // chunk in the upper half, offset in the lower one
	key    uint32
	length uint32 // key and payload
}

// span is a run in a file.
type span struct{ from, to int64 }

// NewSorter makes a sorter that keeps to so much memory, in bytes, apart from a record that is larger.
func NewSorter(space *Space, budget int64) *Sorter {
	b := int(min(max(budget, minBudget), math.MaxInt32))
	return &Sorter{space: space, budget: b, chunk: min(max(b/16, minChunk), maxChunk)}
}

// Spilled tells whether anything was written.
func (s *Sorter) Spilled() bool { return s.file != nil }

// held is the memory in use.
func (s *Sorter) held() int64 {
	return int64(len(s.chunks)*s.chunk) + s.large + int64(cap(s.items))*itemSize
}

// Add takes a copy of a record.
func (s *Sorter) Add(prefix uint64, key, payload []byte) error {
	n := len(key) + len(payload)
	if s.err != nil {
		return s.err
	}
	if n > math.MaxInt32 {
		return errors.New("a record of 2 GiB or more can not be sorted")
	}
	if !s.fits(n) {
		if len(s.items) > 0 && s.full(n) {
			if err := s.spill(); err != nil {
				return err
			}
		}
		s.room(n)
	}
	c := s.chunks[s.at]
	s.items = append(s.items, item{prefix: prefix, place: uint64(s.at)<<32 | uint64(len(c)), key: uint32(len(key)), length: uint32(n)})
	s.chunks[s.at] = append(append(c, key...), payload...)
	return nil
}

// fits tells whether the chunk that is being filled has room for a record, and the index too.
func (s *Sorter) fits(n int) bool {
	return s.at < len(s.chunks) && cap(s.chunks[s.at])-len(s.chunks[s.at]) >= n && len(s.items) < cap(s.items)
}

// full tells whether making room for a record would take more than the budget.
func (s *Sorter) full(n int) bool {
	more := int64(0)
	if len(s.items) == cap(s.items) {
		more += int64(max(1024, cap(s.items))) * itemSize // append doubles
	}
	if s.at >= len(s.chunks) || cap(s.chunks[s.at])-len(s.chunks[s.at]) < n {
		if n > s.chunk {
			more += int64(n)
		} else if s.at+1 >= len(s.chunks) {
			more += int64(s.chunk)
		}
	}
	return s.held()+more > int64(s.budget)
}

// room makes room for a record.
func (s *Sorter) room(n int) {
	if s.at < len(s.chunks) && cap(s.chunks[s.at])-len(s.chunks[s.at]) >= n {
		return // it is the index that was full
	}
	if s.at < len(s.chunks) && len(s.chunks[s.at]) > 0 {
		s.at++
	}
	if s.at < len(s.chunks) && cap(s.chunks[s.at]) >= n {
		return // left from the run before
	}
	if n > s.chunk {
		s.large += int64(n - s.chunk)
	}
	s.chunks = slices.Insert(s.chunks, s.at, make([]byte, 0, max(n, s.chunk)))
}

// sort orders the records in memory.
func (s *Sorter) sort() {
	slices.SortFunc(s.items, func(a, b item) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		if c := bytes.Compare(s.key(a), s.key(b)); c != 0 {
			return c
		}
		return cmp.Compare(a.place, b.place)
	})
}

func (s *Sorter) key(i item) []byte {
	return s.chunks[i.place>>32][uint32(i.place) : uint32(i.place)+i.key]
}

func (s *Sorter) record(i item) Record {
	b := s.chunks[i.place>>32][uint32(i.place) : uint32(i.place)+i.length]
	return Record{i.prefix, b[:i.key:i.key], b[i.key:]}
}

// spill writes what is in memory as a run.
func (s *Sorter) spill() error {
	if s.file == nil {
		if s.file, s.err = s.space.Create(); s.err != nil {
			return s.err
		}
	}
	s.sort()
	w := runWriter{file: s.file, buf: make([]byte, 0, s.chunk), from: s.file.Size()}
	for _, i := range s.items {
		if s.err = w.add(s.record(i)); s.err != nil {
			return s.err
		}
	}
	run, err := w.end()
	if s.err = err; err != nil {
		return err
	}
	s.runs = append(s.runs, run)
	s.empty()
	return nil
}

// empty forgets what is in memory and keeps the memory, but for that of large records.
func (s *Sorter) empty() {
	kept := s.chunks[:0]
	for _, c := range s.chunks {
		if cap(c) == s.chunk {
			kept = append(kept, c[:0])
		}
	}
	clear(s.chunks[len(kept):])
	s.chunks, s.at, s.large, s.items = kept, 0, 0, s.items[:0]
}

// Close lets go of memory and disk.
func (s *Sorter) Close() error {
	s.chunks, s.items, s.runs = nil, nil, nil
	if s.err == nil {
		s.err = errors.New("the sorter is closed")
	}
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// runWriter writes a run through a buffer.
type runWriter struct {
	file *File
	buf  []byte
	from int64
}

func (w *runWriter) add(r Record) error {
	n := headSize + len(r.Key) + len(r.Payload)
	if len(w.buf)+n > cap(w.buf) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.buf = binary.LittleEndian.AppendUint64(w.buf, r.Prefix)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(len(r.Key)))
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(len(r.Key)+len(r.Payload)))
	if n > cap(w.buf) { // a record larger than the buffer
		if err := w.flush(); err != nil {
			return err
		}
		if _, err := w.file.Append(r.Key); err != nil {
			return err
		}
		_, err := w.file.Append(r.Payload)
		return err
	}
	w.buf = append(append(w.buf, r.Key...), r.Payload...)
	return nil
}

func (w *runWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.file.Append(w.buf)
	w.buf = w.buf[:0]
	return err
}

func (w *runWriter) end() (span, error) {
	err := w.flush()
	return span{w.from, w.file.Size()}, err
}
