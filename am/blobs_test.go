package am

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/internal/fs/local"
	"github.com/weft-project/weft/rest"
)

// What is uploaded by REST comes to the directory of the owner's own uploads, under its hash and referred to, and nothing else does.
func TestUploads(t *testing.T) {
	store := local.New()
	base := filepath.Join(t.TempDir(), ".weft")
	b := &blobs{t.Context(), hdfsstate.Open(store, base, 0), "application_1_0001"}
	const text = "a program"
	raw := sha256.Sum256([]byte(text))
	hash := hex.EncodeToString(raw[:])
	if here, err := b.Has(hash); here || err != nil {
		t.Errorf("before: %v, %v", here, err)
	}
	for name, c := range map[string]struct {
		hash, text string
		size       int64
	}{
		"too short": {hash, "a prog", 9}, "too long": {hash, text + "!", 9}, "other content": {hash, "a_program", 9}, "no hash": {"../../secret", text, 9},
		"upper case": {strings.ToUpper(hash), text, 9},
	} {
		var bad rest.BadBlob
		if err := b.Put(c.hash, c.size, strings.NewReader(c.text)); !errors.As(err, &bad) {
			t.Errorf("%s: %v, expected a BadBlob", name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(base, "blobs", "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	var bad rest.BadBlob
	if _, err := b.Has("../../secret"); !errors.As(err, &bad) {
		t.Errorf("no hash: %v", err)
	}
	for range 2 { // the second finds it there
		if err := b.Put(hash, int64(len(text)), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	if here, err := b.Has(hash); !here || err != nil {
		t.Errorf("after: %v, %v", here, err)
	}
	got, err := os.ReadFile(strings.TrimPrefix(b.URI(hash), store.URI()))
	if err != nil || string(got) != text {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(base, "refs", "application_1_0001", hash)); err != nil {
		t.Errorf("nothing says that the application uses it: %v", err)
	}
}
