package taskexec

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weft-project/weft/rpc/controlpb"
)

// New Hadoop tokens are kept for later workers, for their owner alone, and reach this process in their order.
func TestNewTokens(t *testing.T) {
	l := newLeader(t, 7)
	work, got := t.TempDir(), make(chan string, 16)
	run(t, l, func(o *Options) {
		o.WorkDir = work
		o.NewTokens = func(data []byte) error { got <- string(data); return nil }
	})
	c, _ := l.accept()
	for _, text := range []string{"first", "second", "third"} {
		c.say(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_HadoopTokens{HadoopTokens: []byte(text)}})
	}
	for last := ""; last != "third"; {
		select {
		case next := <-got:
			if next == "first" && last != "" {
				t.Fatalf("%q came after %q", next, last)
			}
			last = next
		case <-time.After(patience):
			t.Fatal("the newest tokens did not come")
		}
	}
	path := filepath.Join(work, tokensName)
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "third" {
		t.Errorf("kept: %q, %v", b, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
