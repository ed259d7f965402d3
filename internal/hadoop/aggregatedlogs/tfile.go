package aggregatedlogs

import (
	"errors"
	"io"
	"strconv"
	"strings"
)

// containerPrefix begins the keys of containers; the others say whose logs these are and who may read them.
const containerPrefix = "container_"

// readTFile reads keys and values in their order: a container's value is, for each log file, its name, its length as a text, and
// its bytes.
func readTFile(r io.ReaderAt, size int64, visit func(File, io.Reader) error) error {
	f, err := openBCFile(r, size)
	if err != nil {
		return err
	}
	for _, g := range f.blocks {
		content, err := g.open(r, size, f.compression)
		if err != nil {
			return err
		}
		in := newInput(content)
		for {
			if _, err := in.Peek(1); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return damaged("%v", err)
			}
			if err := readRecord(in, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// readRecord reads one key with its value.
func readRecord(in *input, visit func(File, io.Reader) error) error {
	n, err := in.vlong()
	if err != nil {
		return err
	}
	key, err := in.text(n)
	if err != nil {
		return err
	}
	container, err := newInput(strings.NewReader(key)).utf()
	if err != nil {
		return err
	}
	value := newInput(&chunks{in: in})
	if strings.HasPrefix(container, containerPrefix) {
		if err := readFiles(value, container, visit); err != nil {
			return err
		}
	}
	_, err = io.Copy(io.Discard, value)
	return err
}

// readFiles reads a container's value.
func readFiles(in *input, container string, visit func(File, io.Reader) error) error {
	for {
		if _, err := in.Peek(1); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		name, err := in.utf()
		if err != nil {
			return err
		}
		text, err := in.utf()
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil || size < 0 {
			return damaged("%s of %s has a length of %.40q", name, container, text)
		}
		content := &io.LimitedReader{R: in, N: size}
		if err := visit(File{container, name, size}, content); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, content); err != nil {
			return err
		}
		if content.N > 0 {
			return damaged("%s of %s ends %d bytes too early", name, container, content.N)
		}
	}
}

// chunks reads a value whose length was not known when it was written: chunks with their lengths before them, negative for all but
// the last.
type chunks struct {
	in   *input
	left int64
	last bool
}

// Read is io.Reader's.
func (c *chunks) Read(b []byte) (int, error) {
	for c.left == 0 {
		if c.last {
			return 0, io.EOF
		}
		n, err := c.in.vlong()
		if err != nil {
			return 0, err
		}
		if c.left, c.last = n, n >= 0; n < 0 {
			if c.left = -n; c.left < 0 {
				return 0, damaged("a chunk of %d bytes", n)
			}
		}
	}
	n, err := c.in.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	if err != nil {
		return n, short(err)
	}
	return n, nil
}
