package network

// EventKind tells events apart; the values are part of the wire format.
type EventKind uint8

// The kinds of events.
const (
	// Watermark carries Event.Watermark.
	Watermark EventKind = 1
	// EndOfPartition is the last item of a channel.
	EndOfPartition EventKind = 2
	// Barrier carries a checkpoint barrier in Event.Payload.
	Barrier EventKind = 3
	// WatermarkStatus says in Event.Watermark whether the channel is idle (1) or active (0).
	WatermarkStatus EventKind = 4

	lastEventKind = WatermarkStatus
)

// Event is something that travels in order with the data.
type Event struct {
	Kind EventKind
	// Watermark in milliseconds since the epoch.
	Watermark int64
	// Payload is whatever the kind adds; it is not changed by whoever has sent or received it.
	Payload []byte
}

// Kind tells items apart.
type Kind uint8

// The kinds of items.
const (
	// Buffer: encoded records in Data.
	Buffer Kind = 1 + iota
	// Batch: a batch of values in Batch, from a local producer.
	Batch
	// EventItem: an event in Event.
	EventItem
)

// Item is what a gate gives its task.
type Item struct {
	// Channel is the index in GateConfig.Channels.
	Channel int
	Kind    Kind
	// Remote: it came over TCP.
	Remote bool
	hold   hold
	// Records in Data or Batch, as the producer counted them.
	Records int
	// Bytes is len(Data).
	Bytes int
	// Data belongs to the task until Release.
	Data []byte
	// Batch belongs to the task until Release.
	Batch any
	Event Event

	buf     *buffer
	release func(any)
}

// hold says what an item occupies until it is released.
type hold uint8

const (
	holdNothing     hold = iota
	holdCredit           // a buffer of the gate
	holdLargeCredit      // the credits of a large record
	holdBuffer           // a buffer of a local partition
	holdLocal            // one of the batches that a local channel may have under way
)
