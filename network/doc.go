// Package network is driver: it carries buffers, batches, events and calls between the tasks of a job.
//
// A worker process has one Manager. A producing task opens a Partition, with one Subpartition for each consumer; a
// consuming task opens a Gate, with one channel for each producer, and asks every producer for its subpartition. Where
// both are tasks of one Manager the channel is local: batches of values change hands by pointer and nothing is
// serialised. Otherwise the channel runs over TCP as frames (package frame) under credits (package credit): the consumer
// dials, one connection carries all channels from one worker to another, and each channel may have only as much under way
// as its consumer has buffers. docs/formats/network.md describes the bytes.
//
// Life of a buffer: the task takes it from its partition (Get; it waits when receivers are slow), fills it, hands it over
// (Send); the connection's writer puts a header before it and writes it together with others; it goes back to the
// partition. At the other end the connection's reader reads it into a buffer of the gate's share, the task polls it,
// decodes it and gives it back (Release), which lets the producer send another. Nothing is allocated on this way.
//
// Invariants:
//
//	N1. A connection's reader never waits for a task: what a channel may have under way fits its buffers.
//	N2. A connection's writer waits for nothing but the socket.
//	N3. Items of one channel come in the order in which they were sent, events included.
//	N4. A lost connection, a closed gate or partition, ends every channel it carried, on both sides, with an error that
//	    names the peer; never by silence. A channel that has seen its end is not concerned.
//	N5. An attempt that has been replaced, of a job or a task, is refused (rule F2).
//	N6. Locks are taken in this order: Partition.mu, Gate.mu, conn.mu. Manager.mu and pool.mu are taken alone.
//
// Files: config.go, item.go, errors.go (vocabulary), buffer.go (the pool), manager.go (registry, life), partition.go and
// subpartition.go (producing), gate.go and channel.go (consuming), conn.go, read.go, write.go, dial.go (connections),
// call.go (requests between workers).
package network
