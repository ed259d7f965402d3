package files

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/weft-project/weft/internal/fs"
)

const (
	chunkSize = 512 << 10
	// maxLine bounds one line; a longer one is more likely not a text file.
	maxLine = 64 << 20
)

// LineReader reads the lines of one split, chunk by chunk. A goroutine of its own reads one chunk ahead. It is used by one
// goroutine at a time.
type LineReader struct {
	name   string
	ahead  chan chunk
	free   chan []byte
	stop   context.CancelFunc
	closed sync.WaitGroup

	rest []byte // the unfinished line at the end of the last chunk
	skip bool   // the first line belongs to the split before
	left int64  // bytes of the split not yet begun, counted from its start; a line that starts after them is not ours
	end  bool
	// Of the last batch: where its first line starts, and how many lines it has; and where the next line starts.
	start, next int64
	lines       int
}

type chunk struct {
	data []byte
	err  error
}

// NewLineReader opens the lines of a split.
func NewLineReader(ctx context.Context, store fs.FileSystem, p string, s Split) (*LineReader, error) {
	f, err := store.Open(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("input %s: %w", s.URI, err)
	}
	if end := s.Offset + s.Length; f.Size() < end {
		_ = f.Close() // only read from
		return nil, fmt.Errorf("input %s: it has %d bytes and had %d or more when the job began: it was replaced or cut meanwhile", s.URI, f.Size(), end)
	}
	r := &LineReader{name: s.URI, ahead: make(chan chunk, 1), free: make(chan []byte, 3), left: s.Length}
	var src io.Reader = f
	if s.Compressed() {
		z, err := gzip.NewReader(f)
		if err != nil {
			_ = f.Close() // only read from
			return nil, fmt.Errorf("input %s: %w", s.URI, err)
		}
		src, r.left = z, 1<<62
	} else if s.Offset > 0 {
		// From one byte earlier: the line that starts at Offset is ours exactly if that byte ends a line.
		if _, err := f.Seek(s.Offset-1, io.SeekStart); err != nil {
			_ = f.Close() // only read from
			return nil, fmt.Errorf("input %s: %w", s.URI, err)
		}
		r.skip = true
		r.left++
		r.next = s.Offset - 1
	}
	ctx, r.stop = context.WithCancel(ctx)
	r.closed.Add(1)
	go r.readAhead(ctx, f, src)
	return r, nil
}

// readAhead fills chunks until the end, an error or Close.
func (r *LineReader) readAhead(ctx context.Context, f fs.Reader, src io.Reader) {
	defer r.closed.Done()
	defer close(r.ahead)
	defer func() { _ = f.Close() }() // only read from
	for {
		var buf []byte
		select {
		case buf = <-r.free:
		default:
			buf = make([]byte, chunkSize)
		}
		n, err := fill(src, buf[:cap(buf)])
		select {
		case r.ahead <- chunk{buf[:n], err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// fill reads until buf is full or src ends. Unlike io.ReadFull it keeps io.EOF apart from the io.ErrUnexpectedEOF of a
// gzip stream that was cut short, which is an error.
func fill(src io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = src.Read(buf[n:])
		n += m
	}
	return n, err
}

// Next gives the lines of the next chunk in the memory of lines, without their ends. They are cut from one string; io.EOF at the
// end. A batch may be empty.
func (r *LineReader) Next(lines []string) ([]string, error) {
	lines = lines[:0]
	r.start, r.lines = r.next, 0
	if r.end {
		return lines, io.EOF
	}
	c, ok := <-r.ahead
	if !ok {
		return lines, fmt.Errorf("input %s: %w", r.name, context.Canceled)
	}
	if c.err != nil && c.err != io.EOF {
		return lines, fmt.Errorf("input %s: %w", r.name, c.err)
	}
	text, err := r.cut(c)
	if err != nil {
		return lines, err
	}
	for text != "" && !r.end {
		line, after, _ := strings.Cut(text, "\n")
		used := int64(len(text) - len(after))
		text = after
		if r.skip {
			r.skip = false
			r.start = r.next + used
		} else {
			lines = append(lines, strings.TrimSuffix(line, "\r"))
		}
		r.next += used
		if r.left -= used; r.left <= 0 {
			r.end = true // the next line starts behind the split
		}
	}
	if c.err == io.EOF {
		r.end = true
	}
	r.lines = len(lines)
	return lines, nil
}

// Position is the byte of the file at which the first line of the last batch starts, and how many lines that has. It means
// nothing in compressed files.
func (r *LineReader) Position() (offset int64, lines int) { return r.start, r.lines }

// countLines counts the ends of lines before an offset.
func countLines(ctx context.Context, store fs.FileSystem, p string, until int64) (n int64, err error) {
	f, err := store.Open(ctx, p)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // only read from
	buf := make([]byte, chunkSize)
	for src := io.LimitReader(f, until); err == nil; {
		var m int
		m, err = src.Read(buf)
		n += int64(bytes.Count(buf[:m], []byte{'\n'}))
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// cut makes one string of the unfinished line before and the chunk's whole lines, and keeps the chunk's unfinished line.
func (r *LineReader) cut(c chunk) (string, error) {
	whole := len(c.data)
	if c.err != io.EOF {
		whole = bytes.LastIndexByte(c.data, '\n') + 1
	}
	text := ""
	if whole > 0 || c.err == io.EOF {
		var b strings.Builder
		b.Grow(len(r.rest) + whole)
		b.Write(r.rest)
		b.Write(c.data[:whole])
		text = b.String()
		r.rest = r.rest[:0]
	}
	r.rest = append(r.rest, c.data[whole:]...)
	if len(r.rest) > maxLine {
		return "", fmt.Errorf("input %s: a line is longer than %d bytes; is it a text file?", r.name, maxLine)
	}
	select {
	case r.free <- c.data[:cap(c.data)]:
	default:
	}
	return text, nil
}

// Close ends the reading; it waits for the goroutine.
func (r *LineReader) Close() {
	r.stop()
	for range r.ahead {
	}
	r.closed.Wait()
}
