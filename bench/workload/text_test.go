package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

func TestTextIsDefinedToTheBit(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 256 MiB")
	}
	h := sha256.New()
	words, err := WriteText(h, 268435456)
	if err != nil {
		t.Fatal(err)
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if words != 57158231 || !strings.HasPrefix(sum, "1b71a11dfb054477") {
		t.Fatalf("got %d words, sha256 %s; want 57158231 words, sha256 1b71a11dfb054477…", words, sum)
	}
}

func TestTextEndsBeforeTheLineThatWouldPassTheSize(t *testing.T) {
	var long strings.Builder
	if _, err := WriteText(&long, 10_000); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 1, 57, 1000, 9_000} {
		var b strings.Builder
		if _, err := WriteText(&b, size); err != nil {
			t.Fatal(err)
		}
		if int64(b.Len()) > size || !strings.HasPrefix(long.String(), b.String()) || (b.Len() > 0 && !strings.HasSuffix(b.String(), ".\n")) {
			t.Errorf("size %d: %d bytes, not a prefix of whole lines", size, b.Len())
		}
	}
}

func TestWordsAreDistinct(t *testing.T) {
	seen := make(map[string]bool, Ranks)
	for k := range Ranks {
		w := Word(k)
		if seen[w] {
			t.Fatalf("rank %d: word %q stands twice", k, w)
		}
		seen[w] = true
	}
}

func BenchmarkText(b *testing.B) {
	b.SetBytes(1 << 20)
	for b.Loop() {
		if _, err := WriteText(discard{}, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
