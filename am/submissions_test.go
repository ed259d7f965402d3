package am

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/internal/fs/local"
	"github.com/weft-project/weft/rest/restpb"
)

func TestSubmissions(t *testing.T) {
	base, app := t.TempDir(), "application_1_0001"
	store := local.New()
	s := &submissions{store: store, dir: hdfsstate.Open(store, base, 0), base: base, app: app}
	if err := s.dir.Prepare(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	first, second := &restpb.SubmitRequest{JobId: "b", Config: map[string]string{"k": "v"}}, &restpb.SubmitRequest{JobId: "a"}
	for _, r := range []*restpb.SubmitRequest{first, second, first} {
		if err := s.Save(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	// What an attempt that was killed while it wrote has left.
	if _, err := s.dir.PutPrivate(t.Context(), app, ".submission-c", []byte("half")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.load(t.Context()); err != nil || len(got) != 2 || !proto.Equal(got[1], first) && !proto.Equal(got[0], first) {
		t.Errorf("got %v, %v", got, err)
	}
	for range 2 {
		if err := s.Remove(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.load(t.Context()); err != nil || len(got) != 1 || !proto.Equal(got[0], second) {
		t.Errorf("got %v, %v", got, err)
	}
}
