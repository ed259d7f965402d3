package socketpair_test

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/weft-project/weft/internal/socketpair"
)

// A child talks through the end that it inherits; the other end sees when it has gone.
func TestNew(t *testing.T) {
	ours, theirs, err := socketpair.New()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "read line <&3 && echo \"got $line\" >&3")
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(ours, "this\n"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(ours)
	if err != nil || string(got) != "got this\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
