package network

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/spill"
)

const (
	// regionSize is how much of a stored output is gathered before it is written, ordered by subpartition, so that what one
	// consumer reads lies together.
	regionSize = 1 << 20
	// inMemory is the size up to which a whole stored output does not go to disk.
	inMemory = 64 << 10
)

// store keeps the output of a blocking exchange until its consumers have read it: buffers as they were sent, in one file, with
// an index by subpartition. It is written by the producing task. When that has sent the end of every subpartition, each
// consumer gets a partition of its own, into which a goroutine of the Manager reads the file: from there on credits, frames and
// local channels are as for any other.
type store struct {
	p     *Partition
	space *spill.Space

	// writing is held by the producing task while it changes what follows, which nobody does after the end, and by who closes
	// the file. It is taken before p.mu.
	writing sync.Mutex
	file    *spill.File
	blocks  [][]block // by subpartition
	region  []byte
	waits   []gathered // in region
	ends    int
	done    bool // the file is closed

	unreserve sync.Once

	// Under p.mu.
	finished bool
	closed   bool
	reading  int // goroutines that read the file
	asked    []request
	serving  map[int]*Partition
	read     map[int]bool
}

// block is one buffer of a subpartition: where it is, and what its frame says.
type block struct {
	off            int64
	n              int32
	count, records int32
	flags          uint8
}

// gathered is a block in the region; its offset is the one there.
type gathered struct {
	sub int
	block
}

func newStore(p *Partition, space *spill.Space) *store {
	return &store{p: p, space: space, blocks: make([][]block, len(p.cfg.Consumers)), serving: map[int]*Partition{}, read: map[int]bool{}}
}

// put takes what a subpartition sends. Only the end is kept of events: a consumer that begins when all is there needs no
// watermarks on the way.
func (st *store) put(s *Subpartition, o out) error {
	if finish, err := st.take(s, o); err != nil || !finish {
		return err
	}
	return st.finish()
}

// take is put; finish tells that all subpartitions have ended.
func (st *store) take(s *Subpartition, o out) (finish bool, err error) {
	st.writing.Lock()
	defer st.writing.Unlock()
	if o.buf == nil {
		if o.event.Kind == EndOfPartition {
			st.ends++
		}
		return st.ends == len(st.blocks), nil
	}
	if st.done {
		st.p.giveBack(o.buf)
		return false, ErrClosed
	}
	st.waits = append(st.waits, gathered{s.index, block{off: int64(len(st.region)), n: int32(o.n), count: int32(o.count), records: int32(o.records), flags: o.flags}})
	st.region = append(st.region, o.buf.payload()[:o.n]...)
	st.p.giveBack(o.buf)
	if len(st.region) >= regionSize {
		return false, st.flush()
	}
	return false, nil
}

// flush writes the region, subpartition by subpartition.
func (st *store) flush() (err error) {
	if st.file == nil {
		if st.file, err = st.space.Create(); err != nil {
			return err
		}
	}
	slices.SortStableFunc(st.waits, func(a, b gathered) int { return a.sub - b.sub })
	for _, g := range st.waits {
		from := g.off
		if g.off, err = st.file.Append(st.region[from : from+int64(g.n)]); err != nil {
			return err
		}
		st.blocks[g.sub] = append(st.blocks[g.sub], g.block)
	}
	st.region, st.waits = st.region[:0], st.waits[:0]
	return nil
}

// finish makes the output known to its consumers.
func (st *store) finish() error {
	if err := st.complete(); err != nil {
		return err
	}
	st.unreserve.Do(func() { st.p.m.pool.reserve(-st.p.share()) })
	st.p.mu.Lock()
	st.finished = true
	asked := st.asked
	st.asked = nil
	st.p.mu.Unlock()
	for _, r := range asked {
		st.request(r)
	}
	return nil
}

// complete writes what is left; an output that is small stays in memory.
func (st *store) complete() error {
	st.writing.Lock()
	defer st.writing.Unlock()
	if st.done {
		return ErrClosed
	}
	if st.file == nil && len(st.region) <= inMemory {
		for _, g := range st.waits {
			st.blocks[g.sub] = append(st.blocks[g.sub], g.block)
		}
	} else {
		if err := st.flush(); err != nil {
			return err
		}
		st.region = nil
	}
	st.waits = nil
	return nil
}

// request connects a consumer, when the output is complete.
func (st *store) request(r request) {
	p := st.p
	consumer := r.Consumer
	if r.ch != nil {
		consumer = r.ch.gate.cfg.Consumer
	}
	p.mu.Lock()
	if !st.finished && !st.closed {
		st.asked = append(st.asked, r)
		p.mu.Unlock()
		return
	}
	old := st.serving[r.Subpartition]
	err := st.attachable(r.Subpartition, consumer, old)
	var child *Partition
	if err == nil {
		child = newPartition(p.m, PartitionConfig{Producer: p.cfg.Producer, Edge: p.cfg.Edge, Consumers: []id.Attempt{consumer}})
		st.serving[r.Subpartition] = child
		st.reading++
	}
	p.mu.Unlock()
	if err != nil {
		r.refuse(err)
		return
	}
	p.m.pool.reserve(child.share())
	if old != nil {
		old.Close(fmt.Errorf("%w: %v reads it now", ErrStale, consumer))
	}
	if r.ch != nil {
		err = child.subs[0].attachLocal(r.ch)
	} else {
		err = child.subs[0].attachRemote(r.conn, r.wireID, r.ChannelRequest)
	}
	if err != nil {
		r.refuse(err)
	}
	if err != nil || !child.isAttached() || !p.m.spawn(func() { st.replay(r.Subpartition, child) }) {
		child.Close(errors.New("its consumer is gone"))
		st.leave()
	}
}

// attachable refuses a consumer that may not read. Under p.mu.
func (st *store) attachable(i int, consumer id.Attempt, reads *Partition) error {
	if st.closed {
		return fmt.Errorf("%w: the producer has closed its output", ErrPeerFailed)
	}
	want := st.p.cfg.Consumers[i]
	if reads != nil {
		want = reads.cfg.Consumers[0]
	}
	switch {
	case consumer.Vertex != want.Vertex || consumer.Subtask != want.Subtask || consumer.Job != want.Job:
		return fmt.Errorf("%w: subpartition %d is for %v, not for %v", ErrRefused, i, want, consumer)
	case consumer.Number < want.Number:
		return fmt.Errorf("%w: subpartition %d is for %v, not for %v", ErrStale, i, want, consumer)
	case st.read[i] || reads != nil && consumer.Number == want.Number:
		return fmt.Errorf("%w: subpartition %d has its consumer %v already", ErrRefused, i, want)
	}
	return nil
}

// replay sends a subpartition to its consumer.
func (st *store) replay(i int, child *Partition) {
	defer st.leave()
	if err := st.send(i, child.subs[0]); err != nil {
		child.Close(err) // tells the consumer, where it is not the one who has failed
		return
	}
	select {
	case <-child.drained:
	case <-child.failed:
		return // the consumer is gone; another attempt of it may read again
	case <-st.p.m.ctx.Done():
		return
	}
	p := st.p
	p.mu.Lock()
	last := false
	if st.serving[i] == child && !st.closed {
		st.read[i] = true
		last = p.handedOverLocked(p.subs[i])
	}
	p.mu.Unlock()
	if last {
		p.m.forget(p)
		st.close()
	}
}

func (st *store) send(i int, s *Subpartition) error {
	for _, b := range st.blocks[i] {
		if _, err := s.Get(st.p.m.ctx); err != nil {
			return err
		}
		buf := s.cur
		s.cur = nil
		mem := buf.payload()[:b.n]
		if st.file == nil {
			copy(mem, st.region[b.off:])
		} else if err := st.file.ReadAt(mem, b.off); err != nil {
			st.p.m.log.Error("stored output", "producer", st.p.cfg.Producer, "edge", st.p.cfg.Edge, "error", err)
			s.p.giveBack(buf)
			return err
		}
		if err := s.enqueue(out{buf: buf, n: int(b.n), count: int(b.count), records: int(b.records), flags: b.flags}); err != nil {
			return err
		}
	}
	return s.SendEvent(Event{Kind: EndOfPartition})
}

// close lets go of the data, when nobody reads it any more, and refuses who asks for it.
func (st *store) close() {
	st.p.mu.Lock()
	st.closed = true
	asked := st.asked
	st.asked = nil
	st.p.mu.Unlock()
	for _, r := range asked {
		r.refuse(fmt.Errorf("%w: the producer has closed its output", ErrPeerFailed))
	}
	st.drop()
}

// leave notes that a reader has ended.
func (st *store) leave() {
	st.p.mu.Lock()
	st.reading--
	st.p.mu.Unlock()
	st.drop()
}

// drop closes the file of a closed store that nobody reads.
func (st *store) drop() {
	st.writing.Lock()
	defer st.writing.Unlock()
	st.p.mu.Lock()
	unused := st.closed && st.reading == 0
	st.p.mu.Unlock()
	if !unused || st.done {
		return
	}
	st.done, st.region, st.waits = true, nil, nil
	if st.file == nil {
		return
	}
	if err := st.file.Close(); err != nil {
		st.p.m.log.Warn("stored output could not be let go", "producer", st.p.cfg.Producer, "error", err)
	}
}

// isAttached tells whether every consumer has attached.
func (p *Partition) isAttached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.toAttach == 0
}
