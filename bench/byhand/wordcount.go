package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/weft-project/weft/bench/workload"
)

// chunk is how much text is read at once.
const chunk = 1 << 20

// wordcount counts the words of half of the text, deals the counts out by word, and writes those that are this process's.
func wordcount(me int, peer net.Conn, o options) (outcome, error) {
	counts := map[string]*int64{}
	words, err := countHalf(me, o.input, counts)
	if err != nil {
		return outcome{}, err
	}
	mine, theirs := map[string]*int64{}, map[string]*int64{}
	for w, n := range counts {
		if ownerOf(w) == me {
			mine[w] = n
		} else {
			theirs[w] = n
		}
	}
	sent := make(chan error, 1)
	go func() { sent <- sendCounts(peer, theirs) }()
	if err := receiveCounts(peer, mine); err != nil {
		return outcome{}, err
	}
	if err := <-sent; err != nil {
		return outcome{}, err
	}
	x := outcome{Records: words, Out: int64(len(mine))}
	for _, n := range mine {
		x.Check += int64(workload.Mix(uint64(*n)))
	}
	return x, writeCounts(filepath.Join(o.output, fmt.Sprintf("part-%05d", me)), mine)
}

// ownerOf is the process that has a word: by a hash that both compute alike.
func ownerOf(w string) int {
	var h uint64 = 14695981039346656037
	for i := range len(w) {
		h = (h ^ uint64(w[i])) * 1099511628211
	}
	return int(h>>32) % processes
}

// countHalf counts the words of the lines that begin in this process's half of the file.
func countHalf(me int, name string, counts map[string]*int64) (words int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	from, err := lineFrom(f, info.Size()*int64(me)/processes)
	if err != nil {
		return 0, err
	}
	to, err := lineFrom(f, info.Size()*int64(me+1)/processes)
	if err != nil {
		return 0, err
	}
	r := io.NewSectionReader(f, from, to-from)
	buf := make([]byte, chunk)
	var word []byte
	for {
		n, err := r.Read(buf)
		for _, c := range buf[:n] {
			if l := c | 0x20; 'a' <= l && l <= 'z' {
				word = append(word, l)
			} else if len(word) > 0 {
				count(counts, word)
				words++
				word = word[:0]
			}
		}
		if errors.Is(err, io.EOF) {
			return words, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func count(counts map[string]*int64, word []byte) {
	if n := counts[string(word)]; n != nil {
		*n++
		return
	}
	one := int64(1)
	counts[string(word)] = &one
}

// lineFrom is where the first line begins at or after a place.
func lineFrom(f *os.File, at int64) (int64, error) {
	if at == 0 {
		return 0, nil
	}
	line, err := bufio.NewReader(io.NewSectionReader(f, at-1, 1<<40)).ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return at - 1 + int64(len(line)), err
}

func sendCounts(peer net.Conn, counts map[string]*int64) error {
	w := bufio.NewWriterSize(peer, bufferSize)
	var b []byte
	for word, n := range counts {
		b = binary.AppendUvarint(b[:0], uint64(len(word)))
		b = append(b, word...)
		b = binary.AppendUvarint(b, uint64(*n))
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	if err := w.WriteByte(0); err != nil { // no word has no letters: the end
		return err
	}
	return w.Flush()
}

func receiveCounts(peer net.Conn, counts map[string]*int64) error {
	r := bufio.NewReaderSize(peer, bufferSize)
	var word []byte
	for {
		length, err := binary.ReadUvarint(r)
		if err != nil || length == 0 {
			return err
		}
		word = append(word[:0], make([]byte, length)...)
		if _, err := io.ReadFull(r, word); err != nil {
			return err
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return err
		}
		if have := counts[string(word)]; have != nil {
			*have += int64(n)
		} else {
			v := int64(n)
			counts[string(word)] = &v
		}
	}
}

func writeCounts(name string, counts map[string]*int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, bufferSize)
	var line []byte
	for word, n := range counts {
		line = append(append(line[:0], word...), ' ')
		line = append(strconv.AppendInt(line, *n, 10), '\n')
		if _, err := w.Write(line); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(w.Flush(), f.Close())
}
