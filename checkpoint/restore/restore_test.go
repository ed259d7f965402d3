package restore

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/codec"
)

// stored makes an operator of so many subtasks whose key groups have one byte each, their number, and whose lists hold "subtask.element".
func stored(parallelism, groups int) manifest.Operator {
	op := manifest.Operator{ID: "id", UID: "uid", Name: "Op", Parallelism: parallelism, MaxParallelism: groups,
		States: []manifest.State{{Name: "v", Kind: manifest.Keyed}, {Name: "split", Kind: manifest.Split}, {Name: "union", Kind: manifest.Union}, {Name: "all", Kind: manifest.Broadcast}}}
	for i := range parallelism {
		g := manifest.Groups{First: First(i, parallelism, groups)}
		var b []byte
		for k := g.First; k < First(i+1, parallelism, groups); k++ {
			b = append(b, byte(k))
			g.Pieces = append(g.Pieces, manifest.Piece{Length: 1, Sum: manifest.Sum([]byte{byte(k)})})
		}
		g.Data = manifest.InlineHandle(b)
		sub := manifest.Subtask{Index: i, Keyed: []manifest.Groups{g}}
		for _, name := range []string{"split", "union", "all"} {
			l := manifest.List{Name: name}
			var b []byte
			for e := range 2 + i%2 {
				text := fmt.Sprintf("%d.%d ", i, e)
				b = append(b, text...)
				l.Lengths = append(l.Lengths, int64(len(text)))
			}
			l.Data = manifest.InlineHandle(b)
			sub.Lists = append(sub.Lists, l)
		}
		op.Subtasks = append(op.Subtasks, sub)
	}
	return op
}

// text reads a list of a plan.
func text(s Subtask, name string) string {
	out := ""
	for _, l := range s.Lists {
		for _, p := range l.Parts {
			var at int64
			for i, n := range p.Lengths {
				if l.Name == name && i >= p.From && i < p.End {
					out += string(p.Data.Inline[at : at+n])
				}
				at += n
			}
		}
	}
	return out
}

func TestEveryParallelism(t *testing.T) {
	const groups = 12
	for from := 1; from <= groups; from++ {
		for to := 1; to <= groups; to++ {
			m := &manifest.Manifest{Kind: manifest.Savepoint, Operators: []manifest.Operator{stored(from, groups)}}
			p, err := Make(m, []Operator{{ID: "id", Parallelism: to, MaxParallelism: groups}}, false)
			if err != nil {
				t.Fatal(err)
			}
			next, all := 0, ""
			for i, s := range p.Operators["id"].Subtasks {
				for _, r := range s.Keyed {
					for k, piece := range r.Pieces {
						g := r.First + k
						if g != next || codec.SubtaskOf(g, groups, to) != i {
							t.Fatalf("from %d to %d: subtask %d gets key group %d, expected %d", from, to, i, g, next)
						}
						if b := r.Data.Inline[r.Offset+int64(k):][:1]; int(b[0]) != g || manifest.Sum(b) != piece.Sum {
							t.Fatalf("from %d to %d: key group %d reads %v", from, to, g, b)
						}
						next++
					}
				}
				all += text(s, "split")
				if u := text(s, "union"); len(strings.Fields(u)) != 2*from+from/2 {
					t.Fatalf("from %d to %d: union %q", from, to, u)
				}
				if b := text(s, "all"); !strings.HasPrefix(b, fmt.Sprintf("%d.0 %d.1 ", i%from, i%from)) {
					t.Fatalf("from %d to %d: broadcast of subtask %d is %q", from, to, i, b)
				}
			}
			elements := strings.Fields(all)
			if next != groups || len(elements) != 2*from+from/2 || len(slices.Compact(slices.Sorted(slices.Values(elements)))) != len(elements) {
				t.Fatalf("from %d to %d: %d key groups, elements %v", from, to, next, elements)
			}
		}
	}
}

// With the same parallelism each subtask gets back what it had.
func TestSameParallelismKeepsElements(t *testing.T) {
	m := &manifest.Manifest{Operators: []manifest.Operator{stored(3, 8)}}
	p, err := Make(m, []Operator{{ID: "id", Parallelism: 3, MaxParallelism: 8}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(p.Operators["id"].Subtasks[1], "split"); got != "1.0 1.1 1.2 " {
		t.Errorf("%q", got)
	}
}

func TestOperatorsComeAndGo(t *testing.T) {
	m := &manifest.Manifest{Kind: manifest.Savepoint, ID: 7, Operators: []manifest.Operator{stored(2, 4), {ID: "gone", UID: "old", Name: "Gone", Parallelism: 1, MaxParallelism: 4,
		Subtasks: stored(1, 4).Subtasks}, {ID: "empty", Name: "Empty", Parallelism: 1, MaxParallelism: 1, Subtasks: []manifest.Subtask{{}}}}}
	ops := []Operator{{ID: "new", Name: "New", Parallelism: 1, MaxParallelism: 4}, {ID: "id", Name: "Op", Parallelism: 1, MaxParallelism: 4}}
	_, err := Make(m, ops, false)
	if err == nil || !strings.Contains(err.Error(), `savepoint 7 has state of operators that the job does not have: "Gone" (UID old);`) {
		t.Errorf("%v", err)
	}
	p, err := Make(m, ops, true)
	if err != nil || !reflect.DeepEqual(p.Unclaimed, []string{`"Gone" (UID old)`}) || p.Operators["new"] != nil || p.Operators["id"] == nil {
		t.Errorf("%v, %+v", err, p)
	}
	if n := MaxParallelism(m, "id"); n != 4 {
		t.Errorf("max parallelism %d", n)
	}
	if _, err := Make(m, []Operator{{ID: "id", Name: "Op", Parallelism: 1, MaxParallelism: 8}}, true); err == nil ||
		!strings.Contains(err.Error(), "has 4 key groups and the job's max parallelism is 8") {
		t.Errorf("%v", err)
	}
	if _, err := Make(m, []Operator{{ID: "id", Name: "Op", Parallelism: 5, MaxParallelism: 4}}, true); err == nil {
		t.Error("more subtasks than key groups")
	}
}

func TestFinished(t *testing.T) {
	op := stored(2, 4)
	op.Subtasks[0] = manifest.Subtask{Index: 0, Finished: true}
	m := &manifest.Manifest{Operators: []manifest.Operator{op}}
	p, err := Make(m, []Operator{{ID: "id", Parallelism: 2, MaxParallelism: 4}}, false)
	if err != nil || !p.Operators["id"].Subtasks[0].Finished || p.Operators["id"].Subtasks[1].Finished {
		t.Errorf("%v, %+v", err, p)
	}
	if _, err = Make(m, []Operator{{ID: "id", Parallelism: 3, MaxParallelism: 4}}, false); err == nil || !strings.Contains(err.Error(), "is a union") {
		t.Errorf("%v", err)
	}
	m.Operators[0].States = m.Operators[0].States[:2]
	if p, err = Make(m, []Operator{{ID: "id", Parallelism: 3, MaxParallelism: 4}}, false); err != nil || p.Operators["id"].Subtasks[0].Finished {
		t.Errorf("%v", err)
	}
	m.Operators[0].Subtasks[1] = manifest.Subtask{Index: 1, Finished: true}
	if p, err = Make(m, []Operator{{ID: "id", Parallelism: 3, MaxParallelism: 4}}, false); err != nil || !p.Operators["id"].Subtasks[2].Finished {
		t.Errorf("all had ended: %v", err)
	}
}
