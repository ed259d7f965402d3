// Command custom-source is an example: a source of one's own, which reads ranges of numbers, and a codec of one's own for its
// records.
//
//	go run ./examples/custom-source -upto 100000
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"

	"github.com/weft-project/weft/stream"
)

// Number is a record that says itself how it travels: math/big keeps its fields to itself.
type Number struct{ n big.Int }

var _ stream.Codec = (*Number)(nil)

// AppendWeft is Codec's.
func (x *Number) AppendWeft(dst []byte) []byte {
	text := x.n.Bytes()
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// DecodeWeft is Codec's. The number has memory of its own afterwards.
func (x *Number) DecodeWeft(src []byte) error {
	n, used := binary.Uvarint(src)
	if used <= 0 || uint64(len(src)-used) != n {
		return errors.New("not a number")
	}
	x.n.SetBytes(src[used:])
	return nil
}

// span is a split: a part of the input that one subtask reads. It travels as JSON.
type span struct{ From, To int64 }

// splitSize is how many numbers are in a split.
const splitSize = 10_000

// numbers is a source of the numbers below n.
func numbers(n int64) stream.SplitSource[Number, span] {
	return stream.SplitSource[Number, span]{
		// Plan runs once, in the job's coordinator task. Its splits are dealt to subtasks that ask for one.
		Plan: func(context.Context, int) (splits []span, err error) {
			for from := int64(0); from < n; from += splitSize {
				splits = append(splits, span{from, min(n, from+splitSize)})
			}
			return splits, nil
		},
		Open: func(_ context.Context, s span, _ func()) (stream.SplitReader[Number], error) { return &reader{s}, nil },
	}
}

// reader reads a split.
type reader struct{ left span }

// Read emits some numbers; between two calls the subtask looks after checkpoints and cancellation.
func (r *reader) Read(emit func(*Number)) (stream.SourceStatus, error) {
	for range 1_000 {
		if r.left.From == r.left.To {
			return stream.SourceEnd, nil
		}
		var x Number
		x.n.SetInt64(r.left.From)
		emit(&x)
		r.left.From++
	}
	return stream.SourceMore, nil
}

// Close releases what Open took: here nothing.
func (r *reader) Close() error { return nil }

// Sum is that of the numbers that end with a digit.
type Sum struct {
	Digit int64
	Total Number
}

// squares sums the squares of the numbers by their last digit.
func squares(in *stream.Stream[Number]) *stream.Stream[Sum] {
	square := stream.Map(in, "square", func(x Number) (s Sum) {
		s.Total.n.Mul(&x.n, &x.n)
		s.Digit = new(big.Int).Mod(&s.Total.n, big.NewInt(10)).Int64()
		return s
	})
	return stream.Reduce(stream.KeyBy(square, func(s Sum) int64 { return s.Digit }), "sum", func(a, b Sum) Sum {
		sum := Sum{Digit: a.Digit} // a number of its own: a and b are not changed
		sum.Total.n.Add(&a.Total.n, &b.Total.n)
		return sum
	})
}

func main() {
	upto := flag.Int64("upto", 100_000, "numbers below this one are squared")
	flag.Parse()
	env := stream.New()
	env.SetMode(stream.Batch)
	stream.ForEach(squares(stream.FromSource(env, "numbers", numbers(*upto))), "print", func(s Sum) { fmt.Println(s.Digit, s.Total.n.String()) })
	if _, err := env.Execute(context.Background(), "Custom source"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
