package files

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
)

func readSplit(t testing.TB, s Split) []string {
	t.Helper()
	_, _, p := fs.SplitURI(s.URI)
	r, err := NewLineReader(context.Background(), local.New(), p, s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all, batch []string
	for {
		batch, err = r.Next(batch)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, batch...)
	}
}

func TestEverySplitOwnsTheLinesThatStartInIt(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for round := range 60 {
		var want []string
		var text strings.Builder
		for range rnd.IntN(200) {
			line := strings.Repeat("x", rnd.IntN(40)*rnd.IntN(2))
			if rnd.IntN(50) == 0 {
				line = strings.Repeat("long", 200_000)
			}
			want = append(want, line)
			text.WriteString(line)
			if rnd.IntN(3) == 0 {
				text.WriteByte('\r')
			}
			text.WriteByte('\n')
		}
		if rnd.IntN(2) == 0 {
			want = append(want, "no end")
			text.WriteString("no end")
		}
		name := filepath.Join(t.TempDir(), "in.txt")
		if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		size := int64(text.Len())
		var got []string
		for off := int64(0); off < size; {
			n := min(1+rnd.Int64N(size), size-off)
			got = append(got, readSplit(t, Split{URI: "file://" + name, Offset: off, Length: n, FileSize: size})...)
			off += n
		}
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: %d lines, want %d", round, len(got), len(want))
		}
	}
}

func TestPlanAndGzip(t *testing.T) {
	dir := t.TempDir()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	fmt.Fprint(w, "a\nb\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"x.gz": z.Bytes(), "big.txt": bytes.Repeat([]byte("line\n"), 1<<20), "_SUCCESS": nil, ".hidden": []byte("no\n"), "empty": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reg := fs.NewRegistry()
	reg.Register("file", local.Factory)
	splits, err := PlanSplits(context.Background(), reg, dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range splits {
		n += len(readSplit(t, s))
	}
	if n != 2+1<<20 || len(splits) != 5 {
		t.Fatalf("%d lines of %d splits, want %d of 5", n, len(splits), 2+1<<20)
	}
	if _, err := PlanSplits(context.Background(), reg, filepath.Join(dir, "nothing"), 1); err == nil || !strings.Contains(err.Error(), "nothing: no such file") {
		t.Fatalf("missing input: %v", err)
	}
	if _, err := PlanSplits(context.Background(), reg, filepath.Join(dir, "*.csv"), 1); err == nil {
		t.Fatal("a pattern that matches nothing was accepted")
	}
}

func BenchmarkLines(b *testing.B) {
	name := filepath.Join(b.TempDir(), "in.txt")
	text := bytes.Repeat([]byte("Some words of a line, as they come in a text of usual length.\n"), 1<<20)
	if err := os.WriteFile(name, text, 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		readSplit(b, Split{URI: "file://" + name, Length: int64(len(text)), FileSize: int64(len(text))})
	}
}
