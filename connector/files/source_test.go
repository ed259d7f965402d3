package files

import (
	"encoding/json"
	"testing"

	"github.com/weft-project/weft/operator"
)

// The last splits are kept for readers that have had none, and every split is dealt once.
func TestEverySubtaskGetsASplit(t *testing.T) {
	ask := func(e *enumerator, subtask int) string {
		t.Helper()
		b, err := e.Handle(t.Context(), subtask, []byte("{}"))
		var r splitReply
		if err == nil {
			err = json.Unmarshal(b, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		return r.URI
	}
	e := &enumerator{c: &operator.CoordinatorContext{Context: &operator.Context{}, Subtasks: 3}, done: operator.NewDoneSet(3), dealing: operator.NewDealing(3),
		splits: []Split{{URI: "a"}, {URI: "b"}, {URI: "c"}, {URI: "d"}}}
	for i, step := range []struct {
		subtask int
		want    string
	}{{0, "a"}, {0, "b"}, {0, ""}, {2, "c"}, {2, ""}, {1, "d"}, {1, ""}} {
		if got := ask(e, step.subtask); got != step.want {
			t.Errorf("step %d: subtask %d got %q, expected %q", i, step.subtask, got, step.want)
		}
	}
	select {
	case <-e.Done():
	default:
		t.Error("the enumerator is not done")
	}
}
