package operator

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"unsafe"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/rpc/planpb"
)

// batchBytes is how much memory the values of one local batch take at most, so that the batches of all receivers stay
// in the second-level cache.
const batchBytes = 16 << 10

// WriterConfig describes the sending end of one edge.
type WriterConfig struct {
	Ctx         context.Context
	Partition   *network.Partition
	Partitioner planpb.Partitioner
	KeyHash     any // func(*T) uint64 for HASH, func(v *T, n int) int for CUSTOM
	// Time is the timestamp of the record under way, which travels with it when Timed.
	Time           *int64
	Timed          bool
	MaxParallelism int
	Subtask        int
	// FlushNow is set by the buffer-timeout timer; the writer looks at it for each record (a plain load).
	FlushNow *atomic.Bool
	// FlushAlways: FlushNow stays set (a buffer timeout of 0).
	FlushAlways bool
	BufferSize  int
	ObjectReuse bool
	// Stored: consumers begin when all has been written, so that only full buffers are sent and no watermarks.
	Stored bool
	// Blocked adds up the time spent waiting for credit.
	Blocked *Waiting
}

// Writer is the untyped side of a sending end.
type Writer interface {
	// Flush sends what is buffered.
	Flush() error
	// FlushDue is Flush where the buffer timeout has passed: for tasks that have work but no records to write.
	FlushDue() error
	// Watermark sends a watermark to all consumers, after what is buffered; Idle the status.
	Watermark(wm int64)
	Idle(idle bool)
	// Barrier sends a checkpoint's barrier to all consumers, after what is buffered.
	Barrier(payload []byte)
	// End flushes and ends the partition.
	End() error
	// Records is how many have been written so far.
	Records() int64
}

// Reader is the untyped side of a receiving end.
type Reader interface {
	// Process emits the records of an item that holds data and returns their number.
	Process(item network.Item) (int, error)
	// LookAhead sets what is shown the records that come next, an Ahead[T]; nil for nothing.
	LookAhead(ahead any) error
}

// Batch is what local exchange hands over: values that the receiver may use until it releases the batch.
type Batch[T any] struct {
	vals []T
	// times are the timestamps, where they travel.
	times []int64
}

type writer[T any] struct {
	cfg     WriterConfig
	subs    []sub[T]
	enc     func([]byte, *T) []byte
	dense   int // bytes of a value that are its encoding as they are; 0 where enc is needed
	clone   func(*T)
	size    int // of a network buffer, in bytes
	limit   int // bytes in a buffer after which it is sent, so much below size that a record of usual length still fits
	batch   int // values in a local batch
	records int64
	timed   bool
	time    *int64
	next    int
	free    chan *Batch[T]
	release func(any)
}

type sub[T any] struct {
	s     *network.Subpartition
	local bool
	buf   []byte
	n     int
	b     *Batch[T]
	last  int64 // timestamp written to buf last
}

// NewWriter is Type's.
func (t *typeOf[T]) NewWriter(cfg WriterConfig) (any, Writer, error) {
	size := int(unsafe.Sizeof(*new(T)))
	w := &writer[T]{cfg: cfg, enc: t.codec.Encoder(), dense: t.codec.Dense(), size: cfg.BufferSize, limit: cfg.BufferSize - cfg.BufferSize/32,
		batch: min(1024, max(16, batchBytes/max(size, 1)))}
	if !cfg.ObjectReuse {
		w.clone = t.codec.Cloner()
	}
	w.timed, w.time = cfg.Timed, cfg.Time
	w.subs = make([]sub[T], cfg.Partition.Subs())
	for i := range w.subs {
		w.subs[i].s = cfg.Partition.Sub(i)
	}
	// Batches come back on a channel: once a batch, never once a record.
	w.free = make(chan *Batch[T], 6*len(w.subs)+2)
	w.release = func(b any) {
		select {
		case w.free <- b.(*Batch[T]):
		default:
		}
	}
	emit, err := w.emitter()
	return emit, w, err
}

// emitter chooses the function for the partitioner; each is a concrete closure.
func (w *writer[T]) emitter() (Emit[T], error) {
	n := len(w.subs)
	if n == 0 {
		return nil, fmt.Errorf("partition without consumers")
	}
	switch w.cfg.Partitioner {
	case planpb.Partitioner_HASH:
		hash, ok := w.cfg.KeyHash.(func(*T) uint64)
		if !ok {
			return nil, wrongType(w.cfg.KeyHash, "a key hash")
		}
		if n == 1 {
			return func(v *T) { w.put(0, v) }, nil
		}
		maxP := w.cfg.MaxParallelism
		owner := make([]int32, maxP)
		for g := range owner {
			owner[g] = int32(codec.SubtaskOf(g, maxP, n))
		}
		return func(v *T) { w.put(int(owner[codec.KeyGroup(hash(v), maxP)]), v) }, nil
	case planpb.Partitioner_CUSTOM:
		choose, ok := w.cfg.KeyHash.(func(*T, int) int)
		if !ok {
			return nil, wrongType(w.cfg.KeyHash, "a partitioning function")
		}
		return func(v *T) {
			i := choose(v, n)
			if i < 0 || i >= n {
				Abort(User(fmt.Errorf("the partitioning function gave %d: expected 0 to %d", i, n-1)))
			}
			w.put(i, v)
		}, nil
	case planpb.Partitioner_BROADCAST:
		return func(v *T) {
			for i := range w.subs {
				w.put(i, v)
			}
		}, nil
	case planpb.Partitioner_GLOBAL:
		return func(v *T) { w.put(0, v) }, nil
	case planpb.Partitioner_SHUFFLE:
		rnd := rand.New(rand.NewPCG(uint64(w.cfg.Subtask), 1))
		return func(v *T) { w.put(rnd.IntN(n), v) }, nil
	case planpb.Partitioner_REBALANCE, planpb.Partitioner_RESCALE:
		w.next = w.cfg.Subtask % n
		return func(v *T) {
			i := w.next
			if w.next++; w.next == n {
				w.next = 0
			}
			w.put(i, v)
		}, nil
	}
	return func(v *T) { w.put(0, v) }, nil
}

// put appends one record to a subpartition's buffer or batch.
func (w *writer[T]) put(i int, v *T) {
	s := &w.subs[i]
	w.records++
	if s.b != nil {
		s.b.vals = append(s.b.vals, *v)
		if w.clone != nil {
			w.clone(&s.b.vals[len(s.b.vals)-1])
		}
		if w.timed {
			s.b.times = append(s.b.times, *w.time)
		}
		if len(s.b.vals) >= w.batch {
			w.sendBatch(s)
		} else if w.cfg.FlushNow.Load() {
			w.flushAll()
		}
		return
	}
	if s.buf == nil {
		w.start(s)
		if s.b != nil {
			w.records--
			w.put(i, v)
			return
		}
	}
	before := len(s.buf)
	if w.timed {
		s.buf = binary.AppendVarint(s.buf, *w.time-s.last)
		s.last = *w.time
	}
	if w.dense > 0 {
		s.buf = append(s.buf, unsafe.Slice((*byte)(unsafe.Pointer(v)), w.dense)...)
	} else {
		s.buf = w.enc(s.buf, v)
	}
	s.n++
	if len(s.buf) >= w.limit {
		w.full(s, before, v)
	} else if w.cfg.FlushNow.Load() {
		w.flushAll()
	}
}

// start gets a buffer or, to a consumer in this process, a batch.
func (w *writer[T]) start(s *sub[T]) {
	if s.local || s.s.Local() {
		s.local = true
		select {
		case s.b = <-w.free:
			s.b.vals, s.b.times = s.b.vals[:0], s.b.times[:0]
		default:
			s.b = &Batch[T]{vals: make([]T, 0, w.batch)}
		}
		return
	}
	buf, ok, err := s.s.TryGet()
	if err == nil && !ok {
		w.flushOthers(s) // before waiting: what others wait for must not wait too
		w.cfg.Blocked.Begin()
		buf, err = s.s.Get(w.cfg.Ctx)
		w.cfg.Blocked.End()
	}
	if err != nil {
		Abort(External(err))
	}
	s.buf, s.last = buf, 0
}

// full sends a buffer that has reached its size. The last record may have outgrown it: what came before goes as a buffer,
// a record larger than a buffer as a large one.
func (w *writer[T]) full(s *sub[T], before int, v *T) {
	buf, n := s.buf, s.n
	s.buf, s.n = nil, 0
	if len(buf) <= w.size {
		w.check(s.s.Send(buf, n))
		return
	}
	// Append has moved the bytes to memory of its own; Send copies what came before back into the network buffer.
	last := buf[before:]
	if w.timed {
		// Timestamps are written as the difference from the one before in the same buffer.
		last = w.enc(binary.AppendVarint(nil, *w.time), v)
	}
	w.check(s.s.Send(buf[:before], n-1))
	if len(last) <= w.size {
		if w.start(s); s.b == nil {
			s.buf, s.n, s.last = append(s.buf, last...), 1, *w.time
			return
		}
		w.free <- s.b // the consumer has just attached in this process: this one record still goes encoded
		s.b = nil
	}
	w.cfg.Blocked.Begin() // it may be in no buffer at once
	err := s.s.SendLarge(w.cfg.Ctx, last, 1)
	w.cfg.Blocked.End()
	w.check(err)
}

func (w *writer[T]) sendBatch(s *sub[T]) {
	b := s.b
	s.b = nil
	ok, err := s.s.TrySendBatch(b, len(b.vals), w.release)
	if err == nil && !ok {
		w.flushOthers(s)
		w.cfg.Blocked.Begin()
		err = s.s.SendBatch(w.cfg.Ctx, b, len(b.vals), w.release)
		w.cfg.Blocked.End()
	}
	w.check(err)
}

func (w *writer[T]) check(err error) {
	if err != nil {
		Abort(External(err))
	}
}

// flushOthers sends what other subpartitions have buffered, as far as it goes without waiting.
func (w *writer[T]) flushOthers(except *sub[T]) {
	for i := range w.subs {
		if s := &w.subs[i]; s != except && s.buf != nil {
			w.flushSub(s)
		}
	}
}

func (w *writer[T]) flushSub(s *sub[T]) {
	if s.b != nil && len(s.b.vals) > 0 {
		w.sendBatch(s)
	}
	if s.buf != nil && s.n > 0 {
		buf, n := s.buf, s.n
		s.buf, s.n = nil, 0
		w.check(s.s.Send(buf, n))
	}
}

func (w *writer[T]) flushAll() {
	if !w.cfg.FlushAlways && w.cfg.FlushNow.Load() {
		w.cfg.FlushNow.Store(false)
	}
	for i := range w.subs {
		w.flushSub(&w.subs[i])
	}
}

// Watermark is Writer's.
func (w *writer[T]) Watermark(wm int64) {
	w.event(network.Event{Kind: network.Watermark, Watermark: wm})
}

// Idle is Writer's.
func (w *writer[T]) Idle(idle bool) {
	e := network.Event{Kind: network.WatermarkStatus}
	if idle {
		e.Watermark = 1
	}
	w.event(e)
}

// Barrier is Writer's.
func (w *writer[T]) Barrier(payload []byte) {
	w.event(network.Event{Kind: network.Barrier, Payload: payload})
}

// event sends an event to all consumers, after what is buffered.
func (w *writer[T]) event(e network.Event) {
	if w.cfg.Stored {
		return
	}
	for i := range w.subs {
		s := &w.subs[i]
		w.flushSub(s)
		w.check(s.s.SendEvent(e))
	}
}

// FlushDue is Writer's.
func (w *writer[T]) FlushDue() error {
	if !w.cfg.FlushNow.Load() {
		return nil
	}
	return w.Flush()
}

// Flush is Writer's.
func (w *writer[T]) Flush() (err error) {
	if w.cfg.Stored {
		return nil
	}
	return w.flush()
}

func (w *writer[T]) flush() (err error) {
	defer func() { err = recovered(recover(), err) }()
	w.flushAll()
	return nil
}

// End is Writer's.
func (w *writer[T]) End() error {
	if err := w.flush(); err != nil {
		return err
	}
	for i := range w.subs {
		s := &w.subs[i]
		if s.buf != nil {
			if err := s.s.Send(s.buf, 0); err != nil {
				return External(err)
			}
			s.buf = nil
		}
		if err := s.s.SendEvent(network.Event{Kind: network.EndOfPartition}); err != nil {
			return External(err)
		}
	}
	return nil
}

// Records is Writer's.
func (w *writer[T]) Records() int64 { return w.records }

// recovered turns what Abort carried into an error and lets any other panic go on.
func recovered(r any, err error) error {
	if r == nil {
		return err
	}
	if e, ok := Aborted(r); ok {
		return e
	}
	// Not ours to handle: the task's loop recovers it with the author's stack.
	panic(r)
}

type reader[T any] struct {
	emit   Emit[T]
	dec    func(string, int, *T) (int, error)
	dense  int  // bytes of a value that are its encoding as they are; 0 where dec is needed
	shared bool // values refer to the decoded bytes
	slot   *T
	time   *int64
	timed  bool
	// ahead is shown the records of a block before they are handed on; block and times are the memory of decoded ones.
	ahead Ahead[T]
	block []T
	times []int64
}

// NewReader is Type's.
func (t *typeOf[T]) NewReader(emit any, time *int64, timed bool) (Reader, error) {
	e, err := emitOf[T](emit)
	if err != nil {
		return nil, err
	}
	r := &reader[T]{emit: e, dec: t.codec.Decoder(), shared: !t.codec.Flat(), slot: new(T), time: time, timed: timed}
	r.dense = t.codec.Dense()
	return r, nil
}

// Process is Reader's.
func (r *reader[T]) Process(item network.Item) (int, error) {
	if !r.timed {
		*r.time = eventtime.None
	}
	if item.Kind == network.Batch {
		b, ok := item.Batch.(*Batch[T])
		if !ok {
			return 0, wrongType(item.Batch, fmt.Sprintf("%T", b))
		}
		r.batch(b)
		return len(b.vals), nil
	}
	// One arena for the whole buffer: strings are cut from it, and elements of slices from one that the decoder has. Flat
	// types copy what they need, so the buffer serves.
	var src string
	if r.shared {
		src = string(item.Data)
	} else {
		src = unsafe.String(unsafe.SliceData(item.Data), len(item.Data))
	}
	left, err := r.process(src, item)
	if err != nil {
		return 0, External(fmt.Errorf("exchange: %w", err))
	}
	if left != 0 {
		return 0, External(fmt.Errorf("exchange: %w: %d bytes left after %d records", codec.ErrCorrupt, left, item.Records))
	}
	return item.Records, nil
}

func (r *reader[T]) batch(b *Batch[T]) {
	if r.ahead != nil {
		r.batchAhead(b)
		return
	}
	if !r.timed {
		for i := range b.vals {
			r.emit(&b.vals[i])
		}
		return
	}
	for i := range b.vals {
		*r.time = b.times[i]
		r.emit(&b.vals[i])
	}
}

// records emits n records and tells how many bytes are left.
func (r *reader[T]) records(src string, n int) (left int, err error) {
	pos := 0
	if !r.timed {
		for range n {
			if pos, err = r.dec(src, pos, r.slot); err != nil {
				return 0, err
			}
			r.emit(r.slot)
		}
		return len(src) - pos, nil
	}
	var last int64
	for i := range n {
		delta, used := varint(src, pos)
		if used <= 0 {
			return 0, fmt.Errorf("%w: timestamp at byte %d", codec.ErrCorrupt, pos)
		}
		last += delta
		if pos += used; i == 0 {
			src, pos = src[pos:], 0 // the decoder knows a new batch by position 0
		}
		if pos, err = r.dec(src, pos, r.slot); err != nil {
			return 0, err
		}
		*r.time = last
		r.emit(r.slot)
	}
	return len(src) - pos, nil
}

// denseRecords is records for values that are their own encoding.
func (r *reader[T]) denseRecords(src string, n int) (left int, err error) {
	size, last := r.dense, int64(0)
	slot := unsafe.Slice((*byte)(unsafe.Pointer(r.slot)), size)
	for i := range n {
		if r.timed {
			delta, used := varint(src, 0)
			if used <= 0 {
				return 0, fmt.Errorf("%w: timestamp of record %d", codec.ErrCorrupt, i)
			}
			src = src[used:]
			last += delta
			*r.time = last
		}
		if len(src) < size {
			return 0, fmt.Errorf("%w: record %d is cut short", codec.ErrCorrupt, i)
		}
		copy(slot, src)
		src = src[size:]
		r.emit(r.slot)
	}
	return len(src), nil
}

// varint is encoding/binary's, for strings: used is 0 for bytes cut short.
func varint(src string, pos int) (v int64, used int) {
	if pos < len(src) && src[pos] < 0x80 {
		u := uint64(src[pos])
		return int64(u>>1) ^ -int64(u&1), 1
	}
	var u uint64
	for i := 0; i < binary.MaxVarintLen64 && pos+i < len(src); i++ {
		b := src[pos+i]
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
	}
	return 0, 0
}
