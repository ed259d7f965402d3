package spill

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Iterator gives the records in order.
type Iterator struct {
	s *Sorter
	// Either all is in memory,
	next int
	// or it comes from runs.
	merged *merge
}

// Sorted ends the input and gives the records in order. The sorter takes no more; Close it after the last one.
func (s *Sorter) Sorted() (*Iterator, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.file == nil {
		s.sort()
		s.err = errors.New("the sorter has been read")
		return &Iterator{s: s}, nil
	}
	if len(s.items) > 0 {
		if err := s.spill(); err != nil {
			return nil, err
		}
	}
	s.chunks, s.items = nil, nil // the readers of runs need the memory
	fanIn := min(max(s.budget/minChunk-1, 2), maxFanIn)
	for len(s.runs) > fanIn {
		if err := s.pass(fanIn); err != nil {
			s.err = err
			return nil, err
		}
	}
	m, err := newMerge(s.file, s.runs, s.budget)
	if s.err = err; err != nil {
		return nil, err
	}
	s.err = errors.New("the sorter has been read")
	return &Iterator{s: s, merged: m}, nil
}

// pass merges neighbouring runs into longer ones, in another file.
func (s *Sorter) pass(fanIn int) error {
	to, err := s.space.Create()
	if err != nil {
		return err
	}
	var runs []span
	for at := 0; at < len(s.runs); at += fanIn {
		run, err := s.join(s.runs[at:min(at+fanIn, len(s.runs))], to)
		if err != nil {
			return errors.Join(err, to.Close())
		}
		runs = append(runs, run)
	}
	old := s.file
	s.file, s.runs = to, runs
	return old.Close()
}

// join merges runs into one at the end of a file.
func (s *Sorter) join(runs []span, to *File) (span, error) {
	m, err := newMerge(s.file, runs, s.budget)
	if err != nil {
		return span{}, err
	}
	w := runWriter{file: to, buf: make([]byte, 0, s.chunk), from: to.Size()}
	for {
		r, ok, err := m.next()
		if err != nil {
			return span{}, err
		}
		if !ok {
			return w.end()
		}
		if err := w.add(r); err != nil {
			return span{}, err
		}
	}
}

// Next gives the next record; ok is false after the last.
func (it *Iterator) Next() (r Record, ok bool, err error) {
	if it.merged != nil {
		return it.merged.next()
	}
	if it.next >= len(it.s.items) {
		return Record{}, false, nil
	}
	it.next++
	return it.s.record(it.s.items[it.next-1]), true, nil
}

// merge joins runs: a heap of their readers, the one with the lowest record at the top.
type merge struct {
	heap []*runReader
	// given: the record of the top was handed out.
	given bool
}

func newMerge(file *File, runs []span, budget int) (*merge, error) {
	m := &merge{}
	size := min(max(budget/(len(runs)+1), minChunk), maxChunk)
	for i, run := range runs {
		r := &runReader{file: file, run: run, order: i, size: size}
		ok, err := r.advance()
		if err != nil {
			return nil, err
		}
		if ok {
			m.heap = append(m.heap, r)
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return m, nil
}

func (m *merge) next() (Record, bool, error) {
	if m.given {
		ok, err := m.heap[0].advance()
		if err != nil {
			return Record{}, false, err
		}
		if !ok {
			last := len(m.heap) - 1
			m.heap[0] = m.heap[last]
			m.heap[last] = nil
			m.heap = m.heap[:last]
		}
		m.down(0)
	}
	if m.given = len(m.heap) > 0; !m.given {
		return Record{}, false, nil
	}
	return m.heap[0].current, true, nil
}

// down moves the reader at i to its place.
func (m *merge) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(m.heap); c++ {
			if m.heap[c].before(m.heap[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

// runReader reads one run through a buffer.
type runReader struct {
	file  *File
	run   span // what was not read from the file
	order int
	size  int
	buf   []byte
	left  []byte // of buf
	// current is valid until advance.
	current Record
}

func (r *runReader) before(o *runReader) bool {
	a, b := &r.current, &o.current
	if a.Prefix != b.Prefix {
		return a.Prefix < b.Prefix
	}
	if c := bytes.Compare(a.Key, b.Key); c != 0 {
		return c < 0
	}
	return r.order < o.order
}

// advance reads the next record; ok is false at the end.
func (r *runReader) advance() (ok bool, err error) {
	if len(r.left) == 0 && r.run.from == r.run.to {
		r.buf, r.left, r.current = nil, nil, Record{}
		return false, nil
	}
	if err := r.need(headSize); err != nil {
		return false, err
	}
	prefix, key, n := binary.LittleEndian.Uint64(r.left), int(binary.LittleEndian.Uint32(r.left[8:])), int(binary.LittleEndian.Uint32(r.left[12:]))
	if key > n {
		return false, fmt.Errorf("temporary data in %s is damaged: a key of %d bytes in a record of %d", r.file.dir, key, n)
	}
	if err := r.need(headSize + n); err != nil {
		return false, err
	}
	b := r.left[headSize : headSize+n]
	r.current = Record{prefix, b[:key:key], b[key:]}
	r.left = r.left[headSize+n:]
	return true, nil
}

// need brings so many bytes into left.
func (r *runReader) need(n int) error {
	if len(r.left) >= n {
		return nil
	}
	if int64(n-len(r.left)) > r.run.to-r.run.from {
		return fmt.Errorf("temporary data in %s is damaged: %d bytes are missing", r.file.dir, int64(n-len(r.left))-(r.run.to-r.run.from))
	}
	have := len(r.left)
	want := max(n, int(min(int64(r.size), int64(have)+r.run.to-r.run.from)))
	if cap(r.buf) < want || cap(r.buf) > 2*r.size && want <= r.size {
		old := r.left
		r.buf = make([]byte, want)
		copy(r.buf, old)
	} else {
		r.buf = r.buf[:cap(r.buf)]
		copy(r.buf, r.left)
		want = max(n, int(min(int64(len(r.buf)), int64(have)+r.run.to-r.run.from)))
	}
	if err := r.file.ReadAt(r.buf[have:want], r.run.from); err != nil {
		return err
	}
	r.run.from += int64(want - have)
	r.left = r.buf[:want]
	return nil
}
