package aggregatedlogs

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"
)

const (
	// maxIndex bounds an IFile's index, in bytes, as Hadoop does.
	maxIndex = 64 << 20
	// digest and uuid are the lengths of the mark that begins and ends an IFile: a SHA-256 of the application's id, or, before
	// Hadoop 3.2, a UUID as text.
	digest, uuid = 32, 36
)

// readIFile reads an IFile: log files, then an index (a serialised Java object) with its length and the file's mark. One that is
// written in several turns has an index after each turn, the last with everything.
func readIFile(r io.ReaderAt, size int64, visit func(File, io.Reader) error) error {
	mark, err := findMark(r, size)
	if err != nil {
		return err
	}
	end := size - int64(mark) - 4
	in := newInput(io.NewSectionReader(r, end, 4))
	length, err := in.fixed(4)
	if err != nil {
		return err
	}
	if length <= 0 || length > maxIndex || length > end {
		return damaged("an index of %d bytes in a file of %d", length, size)
	}
	index := make([]byte, length)
	if _, err := io.ReadFull(io.NewSectionReader(r, end-length, length), index); err != nil {
		return short(err)
	}
	root, err := decodeJava(index)
	if err != nil {
		return err
	}
	var files []*javaObject
	for _, turn := range root.list("logMetas") {
		for _, container := range turn.list("logMetas") {
			files = append(files, container.elements()...)
		}
	}
	// The index has them in the order of a hash table.
	slices.SortStableFunc(files, func(a, b *javaObject) int {
		return cmp.Or(strings.Compare(a.text("containerId"), b.text("containerId")), strings.Compare(a.text("fileName"), b.text("fileName")))
	})
	for _, f := range files {
		if err := visitIndexed(r, size, root.text("compressName"), f, visit); err != nil {
			return err
		}
	}
	return nil
}

// findMark gives the length of the mark.
func findMark(r io.ReaderAt, size int64) (int, error) {
	head := make([]byte, uuid)
	tail := make([]byte, uuid)
	if size < 2*uuid+4 {
		return 0, damaged("%d bytes are too few", size)
	}
	if _, err := r.ReadAt(head, 0); err != nil {
		return 0, err
	}
	if _, err := r.ReadAt(tail, size-uuid); err != nil && err != io.EOF {
		return 0, err
	}
	switch {
	case bytes.Equal(head, tail):
		return uuid, nil
	case bytes.Equal(head[:digest], tail[uuid-digest:]):
		return digest, nil
	}
	return 0, damaged("begin and end are neither those of a TFile nor those of an IFile")
}

// visitIndexed shows one file of the index.
func visitIndexed(r io.ReaderAt, size int64, compression string, f *javaObject, visit func(File, io.Reader) error) error {
	container, name := f.text("containerId"), f.text("fileName")
	if name == "" || container == "" {
		return damaged("a file of the index has no name or no container")
	}
	var g region
	for key, to := range map[string]*int64{"startIndex": &g.offset, "fileCompressedSize": &g.stored, "fileSize": &g.raw} {
		n, ok := f.field(key).(int64)
		if !ok {
			return damaged("%s of %s has no %s", name, container, key)
		}
		*to = n
	}
	content, err := g.open(r, size, compression)
	if err != nil {
		return err
	}
	return visit(File{container, name, g.raw}, content)
}
