package main

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
)

// bufferSize is that of the engine's network buffers.
const bufferSize = 32 << 10

// cross sends records of 100 bytes from one process to the other.
func cross(me int, peer net.Conn, o options) (outcome, error) {
	if me == 0 {
		return outcome{}, sendRecords(peer, o.events)
	}
	return receiveRecords(peer, o.events)
}

type record struct {
	Index int64
	Rest  [92]byte
}

// recordSize is what a record takes on the wire.
const recordSize = 100

func sendRecords(peer net.Conn, n int64) error {
	buf := make([]byte, 0, bufferSize)
	var r record
	for i := range n {
		r.Index = i
		buf = binary.LittleEndian.AppendUint64(buf, uint64(r.Index))
		buf = append(buf, r.Rest[:]...)
		if len(buf)+recordSize > bufferSize {
			if _, err := peer.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := peer.Write(buf)
	return err
}

func receiveRecords(peer net.Conn, n int64) (x outcome, err error) {
	const size = bufferSize / recordSize * recordSize
	buf := make([]byte, size)
	var r record
	for x.Records < n {
		b := buf[:min(size, (n-x.Records)*recordSize)]
		if _, err := io.ReadFull(peer, b); err != nil {
			return x, err
		}
		for ; len(b) > 0; b = b[recordSize:] {
			r.Index = int64(binary.LittleEndian.Uint64(b))
			copy(r.Rest[:], b[8:recordSize])
			x.Records++
			x.Out++
			x.Check += r.Index
		}
	}
	return x, nil
}

// batch is what the senders of both processes give a receiver: readings, then how far the sender's event time has come.
type batch struct {
	sender    int
	readings  []reading
	watermark int64
	end       bool
}

// readingSize is what a reading takes on the wire; a batch begins with its length and a watermark.
const (
	readingSize = 24
	batchHead   = 12
	perBatch    = (bufferSize - batchHead) / readingSize
)

// toPeer encodes batches onto the connection until the last one.
func toPeer(peer net.Conn, batches <-chan *batch, free chan<- *batch) error {
	buf := make([]byte, 0, bufferSize)
	for b := range batches {
		head := uint32(len(b.readings)) << 1
		if b.end {
			head |= 1
		}
		buf = binary.LittleEndian.AppendUint32(buf[:0], head)
		buf = binary.LittleEndian.AppendUint64(buf, uint64(b.watermark))
		for i := range b.readings {
			r := &b.readings[i]
			buf = binary.LittleEndian.AppendUint64(buf, uint64(r.key))
			buf = binary.LittleEndian.AppendUint64(buf, uint64(r.value))
			buf = binary.LittleEndian.AppendUint64(buf, uint64(r.ts))
		}
		if _, err := peer.Write(buf); err != nil {
			return err
		}
		free <- b
	}
	return nil
}

// fromPeer decodes them.
func fromPeer(peer net.Conn, batches chan<- *batch, free <-chan *batch) error {
	buf := make([]byte, bufferSize)
	for {
		if _, err := io.ReadFull(peer, buf[:batchHead]); err != nil {
			return err
		}
		head := binary.LittleEndian.Uint32(buf)
		n := int(head >> 1)
		if n > perBatch {
			return errors.New("the other process sent a batch that is too long")
		}
		b := <-free
		b.readings, b.end, b.watermark = b.readings[:0], head&1 == 1, int64(binary.LittleEndian.Uint64(buf[4:]))
		body := buf[:n*readingSize]
		if _, err := io.ReadFull(peer, body); err != nil {
			return err
		}
		for ; len(body) > 0; body = body[readingSize:] {
			b.readings = append(b.readings, reading{int64(binary.LittleEndian.Uint64(body)), int64(binary.LittleEndian.Uint64(body[8:])),
				int64(binary.LittleEndian.Uint64(body[16:]))})
		}
		batches <- b
		if b.end {
			return nil
		}
	}
}
