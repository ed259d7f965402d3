package worker_test

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/rpc/controlpb"
)

// A worker shows where its goroutines are, also while main has not come to Execute.
func TestStacks(t *testing.T) {
	m := startLink(t)
	m.read() // hello
	for n := range uint64(2) {
		m.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_Stacks{Stacks: n + 1}})
		if s := m.read().GetStacks(); s.GetId() != n+1 || !strings.Contains(string(s.GetText()), "TestStacks") {
			t.Errorf("%d: %.200s", s.GetId(), s.GetText())
		}
	}
}
