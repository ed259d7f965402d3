package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/weft-project/weft/bench/workload"
	"github.com/weft-project/weft/stream"
)

type wordCount struct {
	Word string
	N    int64
}

// words reads the text and emits each run of ASCII letters in lower case, counting them as records.
func words(env *stream.Env, o *options) (*stream.Stream[wordCount], error) {
	if o.input == "" {
		return nil, errors.New("--input is missing: a text made by gentext")
	}
	lines := stream.ReadText(env, "read", o.input)
	return stream.FlatMapWith(lines, "tokenize", func(c *stream.Context) func(string, func(wordCount)) {
		records := c.Counter("records")
		return func(line string, emit func(wordCount)) { records.Add(tokenize(line, emit)) }
	}), nil
}

func tokenize(line string, emit func(wordCount)) (n int64) {
	start, upper := -1, false
	flush := func(end int) {
		w := line[start:end]
		if upper {
			w = strings.ToLower(w)
		}
		emit(wordCount{w, 1})
		n++
		start, upper = -1, false
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			if start < 0 {
				start = i
			}
			upper = upper || c <= 'Z'
		} else if start >= 0 {
			flush(i)
		}
	}
	if start >= 0 {
		flush(len(line))
	}
	return n
}

func counts(in *stream.Stream[wordCount]) *stream.Stream[wordCount] {
	return stream.Sum(stream.KeyBy(in, func(w wordCount) string { return w.Word }), "count", func(w *wordCount) *int64 { return &w.N })
}

func wordcountBatch(env *stream.Env, o *options) error {
	env.SetMode(stream.Batch)
	in, err := words(env, o)
	if err != nil {
		return err
	}
	if o.output == "" {
		return errors.New("--output is missing: a file or directory that does not exist")
	}
	out := stream.MapWith(counts(in), "check", func(c *stream.Context) func(wordCount) wordCount {
		n, check := c.Counter("out"), c.Counter("check")
		return func(w wordCount) wordCount {
			n.Add(1)
			check.Add(int64(workload.Mix(uint64(w.N))))
			return w
		}
	})
	stream.AppendText(out, "write", o.output, func(line []byte, w *wordCount) []byte {
		line = append(append(line, w.Word...), ' ')
		return strconv.AppendInt(line, w.N, 10)
	})
	return nil
}

func wordcountStream(env *stream.Env, o *options) error {
	in, err := words(env, o)
	if err != nil {
		return err
	}
	stream.ForEachWith(counts(in), "discard", func(c *stream.Context) func(wordCount) {
		n, check := c.Counter("out"), c.Counter("check")
		return func(w wordCount) {
			n.Add(1)
			check.Add(w.N)
		}
	})
	return nil
}
