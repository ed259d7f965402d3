package kafka

import (
	"encoding/json"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Record is a record as it stands in a topic.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	// Timestamp is in milliseconds, as the producer or the broker has set it.
	Timestamp int64
	// Key and Value are nil where there is none.
	Key, Value []byte
	Headers    []Header
}

// Header is a header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Decoder makes a value of a record; v is a zero value. It may keep the record's slices, which nobody writes to, and answers ErrSkip
// for records that are none. It is called by all subtasks.
type Decoder[T any] func(r *Record, v *T) error

// ErrSkip is what a Decoder answers for a record that is passed over.
var ErrSkip = errors.New("kafka: the record is passed over")

// Bytes gives the values as they are.
func Bytes() Decoder[[]byte] {
	return func(r *Record, v *[]byte) error {
		*v = r.Value
		return nil
	}
}

// Text gives the values as strings.
func Text() Decoder[string] {
	return func(r *Record, v *string) error {
		*v = string(r.Value)
		return nil
	}
}

// JSON reads the values as JSON documents. Records without a value (tombstones) are passed over.
func JSON[T any]() Decoder[T] {
	return func(r *Record, v *T) error {
		if r.Value == nil {
			return ErrSkip
		}
		return json.Unmarshal(r.Value, v)
	}
}

// Records gives the records with all that belongs to them.
func Records() Decoder[Record] {
	return func(r *Record, v *Record) error {
		*v = *r
		return nil
	}
}

// fill makes a Record of a client's.
func (r *Record) fill(k *kgo.Record) {
	*r = Record{Topic: k.Topic, Partition: k.Partition, Offset: k.Offset, Timestamp: k.Timestamp.UnixMilli(), Key: k.Key, Value: k.Value}
	for _, h := range k.Headers {
		r.Headers = append(r.Headers, Header{h.Key, h.Value})
	}
}
