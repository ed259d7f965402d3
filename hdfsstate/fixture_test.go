package hdfsstate

import (
	"path/filepath"
	"testing"

	"github.com/weft-project/weft/internal/fs/local"
)

// The savepoint that the first version wrote, with its state file, is read for ever: made by TestPublishAndFind's writer.
func TestSavepointOfVersion1(t *testing.T) {
	dir, err := filepath.Abs("testdata/savepoint-v1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenSnapshot(t.Context(), stores(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	check(t, local.New(), s.Root, s.Manifest)
	if v, err := s.Verify(t.Context()); err != nil || len(v.Problems) > 0 || v.Pieces == 0 {
		t.Fatalf("%+v, %v", v, err)
	}
}
