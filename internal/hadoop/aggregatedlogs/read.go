package aggregatedlogs

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// File is one log file of a container.
type File struct {
	Container, Name string
	// Size in bytes, as the container wrote it.
	Size int64
}

// bufferSize is how much is read at once.
const bufferSize = 256 << 10

// errDamaged is the begin of what is said of files that are not as they should be.
var errDamaged = errors.New("the stored logs are damaged, or of a newer format")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// Read calls visit for each log file in what a NodeManager has stored, in its order; content need not be read. An error of visit ends
// it.
func Read(r io.ReaderAt, size int64, visit func(f File, content io.Reader) error) error {
	tail := make([]byte, len(magic))
	if size >= int64(len(magic)) {
		if _, err := r.ReadAt(tail, size-int64(len(magic))); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if bytes.Equal(tail, magic) {
			return readTFile(r, size, visit)
		}
	}
	return readIFile(r, size, visit)
}

// region is a part of a file, which may be compressed.
type region struct{ offset, stored, raw int64 }

// open reads a region of a file of that size.
func (g region) open(r io.ReaderAt, size int64, compression string) (io.Reader, error) {
	if g.offset < 0 || g.stored < 0 || g.offset > size || g.stored > size-g.offset {
		return nil, damaged("a part at %d of %d bytes is not within the %d bytes", g.offset, g.stored, size)
	}
	in := bufio.NewReaderSize(io.NewSectionReader(r, g.offset, g.stored), int(min(max(g.stored, 16), bufferSize)))
	switch compression {
	case "none":
		return in, nil
	case "gz":
		if g.stored == 0 {
			return in, nil
		}
		z, err := zlib.NewReader(in)
		if err != nil {
			return nil, damaged("%v", err)
		}
		return z, nil
	case "lzo":
		return nil, errors.New("the stored logs are compressed with lzo (yarn.nodemanager.log-aggregation.compression-type), which is not read here")
	}
	return nil, damaged("compression %.20q: expected none, gz or lzo", compression)
}

// input reads the numbers and words of Java's DataOutput.
type input struct {
	*bufio.Reader
}

func newInput(r io.Reader) *input {
	if b, ok := r.(*bufio.Reader); ok {
		return &input{b}
	}
	return &input{bufio.NewReader(r)}
}

// fixed reads a number of n bytes.
func (in *input) fixed(n int) (v int64, err error) {
	var b [8]byte
	if _, err := io.ReadFull(in, b[8-n:]); err != nil {
		return 0, short(err)
	}
	v = int64(binary.BigEndian.Uint64(b[:]))
	shift := 64 - 8*n
	return v << shift >> shift, nil
}

// text reads n bytes.
func (in *input) text(n int64) (string, error) {
	if n < 0 || n > 1<<20 {
		return "", damaged("a text of %d bytes", n)
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, in, n); err != nil {
		return "", short(err)
	}
	return b.String(), nil
}

// utf reads what writeUTF wrote: a length of two bytes, and that many bytes.
func (in *input) utf() (string, error) {
	n, err := in.fixed(2)
	if err != nil {
		return "", err
	}
	return in.text(n & 0xffff)
}

// short makes of the end of a file what it means within a value.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("they end too early")
	}
	return err
}
