package jobmanager

import (
	"github.com/weft-project/weft/checkpoint"
)

// operation is a checkpoint, savepoint or stop that somebody has asked for.
type operation struct {
	kind   checkpoint.Kind
	answer *checkpoint.Answer // nil while it is on its way
}

// answered ends an operation.
func (cp *checkpoints) answered(a checkpoint.Answer) {
	if o := cp.operations[a.Request]; o != nil {
		o.answer = &a
	}
	if len(a.WithoutUID) > 0 {
		cp.j.note("operators with state and without UID, which may not be found again when the job is changed: " + list(a.WithoutUID))
	}
}

// list writes names for people.
func list(names []string) string {
	out := ""
	for i, n := range names {
		if i > 0 {
			out += ", "
		}
		out += n
	}
	return out
}
