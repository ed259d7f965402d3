package jobmanager_test

import (
	"testing"

	"github.com/weft-project/weft/rpc/controlpb"
)

// New Hadoop tokens go to every TaskManager, and to those that come later; before there are any nobody gets some.
func TestHadoopTokens(t *testing.T) {
	c := start(t, 1, nil)
	a := c.tm("a", 1)
	tokens := func(m *controlpb.ToTaskManager) string { return string(m.GetHadoopTokens()) }
	c.jm.SetHadoopTokens([]byte("first"))
	if got := tokens(a.next()); got != "first" {
		t.Errorf("TaskManager a got %q", got)
	}
	b := c.tm("b", 1)
	if got := tokens(b.next()); got != "first" {
		t.Errorf("TaskManager b got %q when it came", got)
	}
	c.jm.SetHadoopTokens([]byte("second"))
	for _, tm := range []*fakeTM{a, b} {
		if got := tokens(tm.next()); got != "second" {
			t.Errorf("TaskManager %s got %q", tm.id, got)
		}
	}
}

// Connections without a finished handshake: 64, and one for each TaskManager that the platform was asked for.
func TestPendingConnections(t *testing.T) {
	c := start(t, 1, nil)
	c.run(3)
	c.requires(3)
	if n := c.jm.PendingLimit(); n != 64+3 {
		t.Errorf("%d connections may wait, expected 64 and one for each of 3 TaskManagers", n)
	}
}
