package jobmanager

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/rest"
)

// What is uploaded is checked, kept while jobs need it and a while longer, and nothing else can be named.
func TestBlobs(t *testing.T) {
	dir := t.TempDir()
	b, err := NewBlobs(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	b.now = func() time.Time { return now }
	put := func(content string) string {
		sum := sha256.Sum256([]byte(content))
		hash := hex.EncodeToString(sum[:])
		if err := b.Put(hash, int64(len(content)), strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		return hash
	}
	first := put("first")
	var bad rest.BadBlob
	for _, sent := range []struct {
		size    int64
		content string
	}{{5, "First"}, {5, "firs"}, {5, "first and more"}, {4, "first"}} {
		other := strings.Repeat("ab", sha256.Size)
		if sent.content == "first" {
			other = first
		}
		if err := b.Put(other, sent.size, strings.NewReader(sent.content)); !errors.As(err, &bad) {
			t.Errorf("%q as %d bytes: %v", sent.content, sent.size, err)
		}
	}
	for _, name := range []string{"", "../" + first, strings.ToUpper(first), first[:62], "secret"} {
		if _, err := b.Has(name); err == nil {
			t.Errorf("%q is taken for a hash", name)
		}
	}
	if err := b.use(strings.Repeat("cd", sha256.Size)); err == nil {
		t.Error("a job may need what is not there")
	}
	if err := b.use(first); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * blobKeep)
	second := put("second")
	if here, _ := b.Has(first); !here {
		t.Error("a file that a job needs is gone")
	}
	b.release(first)
	now = now.Add(2 * blobKeep)
	put("third")
	for hash, want := range map[string]bool{first: false, second: false} {
		if here, err := b.Has(hash); here != want || err != nil {
			t.Errorf("%s is there: %v, %v", hash, here, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}
