package randomjob

import (
	"context"
	"time"

	"github.com/weft-project/weft/stream"
)

// slowRate is how many records a slow generator makes a second; splits are how many a slow source of splits has.
const slowRate, splits = 4000, 6

// part is one split: records From ≤ i < End. Those of a split come after those of the one before, as far as 50 ms go.
type part struct{ From, End int64 }

// slowSplits is a source of splits whose readers stop and go.
func slowSplits(env *stream.Env, name string, n int64, record func(int64) Record, times stream.WatermarkStrategy[Record]) *stream.Stream[Record] {
	return stream.FromTimedSource(env, name, stream.SplitSource[Record, part]{
		Plan: func(context.Context, int) (all []part, err error) {
			for i := range int64(splits) {
				all = append(all, part{i * n / splits, (i + 1) * n / splits})
			}
			return all, nil
		},
		Open: func(_ context.Context, p part, wake func()) (stream.SplitReader[Record], error) {
			return &slowReader{part: p, record: record, wake: wake}, nil
		},
		AtOnce: splits, // whatever a checkpoint has is read side by side, so no record is late
	}, times)
}

// slowReader reads a part.
type slowReader struct {
	part
	record func(int64) Record
	wake   func()
}

// Read is SplitReader's.
func (r *slowReader) Read(emit func(*Record)) (stream.SourceStatus, error) {
	for range 4 {
		if r.From >= r.End {
			return stream.SourceEnd, nil
		}
		next := r.record(r.From)
		r.From++
		emit(&next)
	}
	time.AfterFunc(time.Millisecond, r.wake)
	return stream.SourceIdle, nil
}

// Close is SplitReader's.
func (r *slowReader) Close() error { return nil }
