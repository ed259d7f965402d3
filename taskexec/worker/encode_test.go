package worker

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/state"
)

// broken is frozen state whose type cannot be encoded after all.
type broken struct{ released int }

// Group is state.Frozen's.
func (*broken) Group(int, []byte) []byte { panic("no form") }

// Release is state.Frozen's.
func (b *broken) Release() { b.released++ }

// A type that panics while a snapshot is written, in a goroutine of its own, fails the task in its operator's name, and not the process.
func TestTypeThatPanicsInASnapshot(t *testing.T) {
	part := &broken{}
	f := &frozenOperator{manifest: manifest.Operator{Name: "store"}, groups: state.Groups{End: 1, Max: 1},
		keyed: map[string]state.Frozen{"value": part}, lists: map[string]state.FrozenElements{}}
	one := &task{mailbox: operator.NewMailbox()}
	_, err := one.encode(t.Context(), f, hdfsstate.NewStateWriter(hdfsstate.StateTarget{}))
	if err == nil || !strings.Contains(err.Error(), "no form") {
		t.Fatalf("%v, expected the panic", err)
	}
	if f.release(); part.released != 1 {
		t.Errorf("released %d times, expected once", part.released)
	}
	defer func() {
		told, ok := operator.Aborted(recover())
		if p, is := told.(*panicError); !ok || !is || p.op != "store" {
			t.Errorf("the task was told %v, expected the panic of operator store", told)
		}
	}()
	one.mailbox.RunAll()
}
