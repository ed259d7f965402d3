package workload

import (
	"bufio"
	"io"
)

const (
	// Ranks is the size of the vocabulary.
	Ranks      = 100_000
	textSeed   = 42
	consonants = "bcdfghjklmnprstvwyzx"
	vowels     = "aeiou"
	// guideBits sets how finely the cumulative weights are indexed before the binary search.
	guideBits = 16
)

// Word is the word of rank k, 0 being the most frequent: the numeral of k+1 in bijective base 100 over the syllables
// consonant+vowel, most significant first.
func Word(k int) string {
	var rev []byte
	for n := k + 1; n > 0; {
		d := (n-1)%100 + 1
		s := d - 1
		rev = append(rev, vowels[s%5], consonants[s/5])
		n = (n - d) / 100
	}
	for i, j := 0, len(rev)-1; i < j; i, j = i+1, j-1 {
		rev[i], rev[j] = rev[j], rev[i]
	}
	return string(rev)
}

// zipf picks ranks by weight 1/(rank+1).
type zipf struct {
	cum   []float64
	guide []int32
}

func newZipf(n int) *zipf {
	z := &zipf{cum: make([]float64, n), guide: make([]int32, 1<<guideBits+1)}
	sum := 0.0
	for k := range z.cum {
		sum += 1 / float64(k+1)
		z.cum[k] = sum
	}
	k := 0
	for g := range z.guide {
		x := float64(g) / (1 << guideBits) * sum
		for k < n-1 && z.cum[k] <= x {
			k++
		}
		z.guide[g] = int32(k)
	}
	return z
}

// rank is the smallest k with cum[k] > u*cum[last], u being the draw's upper 53 bits as a fraction.
func (z *zipf) rank(draw uint64) int {
	last := len(z.cum) - 1
	x := float64(draw>>11) / (1 << 53) * z.cum[last]
	g := draw >> (64 - guideBits)
	lo, hi := int(z.guide[g]), int(z.guide[g+1])
	if lo > 0 {
		lo-- // the guide rounds: start one earlier and end one later
	}
	if hi < last {
		hi++
	}
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if z.cum[mid] > x {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// WriteText writes the benchmark text: whole lines, ending before the first that would pass size bytes. It returns the
// number of words.
func WriteText(w io.Writer, size int64) (words int64, err error) {
	vocabulary := make([]string, Ranks)
	for k := range vocabulary {
		vocabulary[k] = Word(k)
	}
	z := newZipf(Ranks)
	rnd := splitMix{state: textSeed}
	out := bufio.NewWriterSize(w, 1<<20)
	var line []byte
	for written := int64(0); ; {
		var n int
		line, n = appendLine(line[:0], &rnd, z, vocabulary)
		written += int64(len(line))
		if written > size {
			return words, out.Flush()
		}
		if _, err := out.Write(line); err != nil {
			return words, err
		}
		words += int64(n)
	}
}

// appendLine appends one line. Its draws in order: the length; then for each word its rank and, but for the last word,
// its comma.
func appendLine(line []byte, rnd *splitMix, z *zipf, vocabulary []string) ([]byte, int) {
	n := 6 + int((rnd.next()>>1)%9)
	for i := range n {
		line = append(line, vocabulary[z.rank(rnd.next())]...)
		if i == 0 {
			line[0] -= 'a' - 'A'
		}
		if i < n-1 {
			if (rnd.next()>>1)%12 == 0 {
				line = append(line, ',')
			}
			line = append(line, ' ')
		}
	}
	return append(line, ".\n"...), n
}
