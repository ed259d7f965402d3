package aggregatedlogs

import (
	"errors"
	"io"
	"strings"
)

// magic begins and ends a BCFile, the container of a TFile.
var magic = []byte{0xd1, 0x11, 0xd3, 0x68, 0x91, 0xb5, 0xd7, 0xb6, 0x39, 0xdf, 0x41, 0x40, 0x92, 0xba, 0xe1, 0x50}

const (
	// trailer is what stands at the end: the place of the index of indexes, a version of two numbers, and the magic.
	trailer = 8 + 4 + 16
	// bcMajor is the version of the format; minor ones are compatible.
	bcMajor = 1
	// dataIndex is the part that says where the data is.
	dataIndex = "data:BCFile.index"
)

// bcFile says where the data of a BCFile is.
type bcFile struct {
	compression string
	blocks      []region
}

// openBCFile reads the indexes.
func openBCFile(r io.ReaderAt, size int64) (*bcFile, error) {
	if size < trailer+int64(len(magic)) {
		return nil, damaged("%d bytes are too few", size)
	}
	in := newInput(io.NewSectionReader(r, size-trailer, trailer))
	at, err := in.fixed(8)
	if err != nil {
		return nil, err
	}
	if major, err := in.fixed(2); err != nil || major != bcMajor {
		return nil, errors.Join(err, damaged("version %d of the format: expected %d", major, bcMajor))
	}
	if at < 0 || at > size-trailer {
		return nil, damaged("the index is said to be at %d of %d bytes", at, size)
	}
	in = newInput(io.NewSectionReader(r, at, size-trailer-at))
	count, err := in.vlong()
	if err != nil {
		return nil, err
	}
	for range count {
		name, err := in.vstring()
		if err != nil {
			return nil, err
		}
		compression, err := in.vstring()
		if err != nil {
			return nil, err
		}
		g, err := in.region()
		if err != nil {
			return nil, err
		}
		if name == dataIndex {
			return readDataIndex(r, size, g, compression)
		}
	}
	return nil, damaged("there is no %s", strings.TrimPrefix(dataIndex, "data:"))
}

func readDataIndex(r io.ReaderAt, size int64, g region, compression string) (*bcFile, error) {
	content, err := g.open(r, size, compression)
	if err != nil {
		return nil, err
	}
	in := newInput(content)
	f := &bcFile{}
	if f.compression, err = in.vstring(); err != nil {
		return nil, err
	}
	count, err := in.vlong()
	if err != nil {
		return nil, err
	}
	for range count {
		block, err := in.region()
		if err != nil {
			return nil, err
		}
		f.blocks = append(f.blocks, block)
	}
	return f, nil
}

func (in *input) region() (g region, err error) {
	for _, to := range []*int64{&g.offset, &g.stored, &g.raw} {
		if *to, err = in.vlong(); err != nil {
			return g, err
		}
	}
	return g, nil
}

func (in *input) vstring() (string, error) {
	n, err := in.vlong()
	if err != nil {
		return "", err
	}
	return in.text(n)
}

// vlong reads a number of variable length as TFile has it: small ones are one byte, else the first byte says how many follow, and, of
// up to three, has the number's upper bits.
func (in *input) vlong() (int64, error) {
	first, err := in.fixed(1)
	if err != nil || first >= -32 {
		return first, err
	}
	var upper int64
	more := 0
	switch {
	case first >= -72:
		upper, more = first+52, 1
	case first >= -104:
		upper, more = first+88, 2
	case first >= -120:
		upper, more = first+112, 3
	default:
		if more = int(first) + 129; more < 4 {
			return 0, damaged("a number begins with %d", first)
		}
		return in.fixed(more)
	}
	rest, err := in.fixed(more)
	return upper<<(8*more) | rest&(1<<(8*more)-1), err
}
