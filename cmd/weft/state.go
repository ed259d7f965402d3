package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/weft-project/weft/checkpoint/manifest"
	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/hdfsstate"
)

var stateHelp = help{
	usage: "ls|cat|verify [OPTIONS] PATH", about: "look into a checkpoint or savepoint",
	text: "PATH is the directory of a savepoint or retained checkpoint, or the _metadata in it. ls lists operators, their states, types and\n" +
		"sizes; cat prints state as JSON, an entry a line; verify reads everything and compares every checksum. A job that runs is not\n" +
		"disturbed, but its older checkpoints may be deleted meanwhile.",
	options: stateOptions,
	examples: []string{"weft state ls hdfs:///savepoints/savepoint-0123ab-0123456789ab", "weft state cat --operator count --state sums PATH | jq .key",
		"weft state verify file:///checkpoints/0123456789abcdef0123456789abcdef/chk-42"},
}

// stateQuestion is what state is asked for.
type stateQuestion struct {
	operator, state string
	quick           bool
}

func stateOptions() []option {
	return append([]option{
		{names: []string{"operator"}, arg: "name", doc: "This operator only, by UID, name or id.", apply: func(s *settings, v string) error {
			s.inspect.operator = v
			return nil
		}},
		{names: []string{"state"}, arg: "name", doc: "This state only.", apply: func(s *settings, v string) error {
			s.inspect.state = v
			return nil
		}},
		flag("quick", "ls: from the metadata alone, without sizes of states and numbers of keys.", func(s *settings) { s.inspect.quick = true }),
	}, property("D"), helpOption())
}

// inspectState is weft state.
func (p *process) inspectState(ctx context.Context, args []string) error {
	s, c, done, err := p.start("state", args, false)
	if err != nil || done {
		return err
	}
	defer c.Close()
	if len(s.words) != 2 {
		return &usageError{"state", "expected ls, cat or verify, and a path"}
	}
	verbs := map[string]func(context.Context, *hdfsstate.Snapshot, stateQuestion) error{"ls": p.listState, "cat": p.catState, "verify": p.verifyState}
	verb := verbs[s.words[0]]
	if verb == nil {
		return &usageError{"state", fmt.Sprintf("%q: expected ls, cat or verify", s.words[0])}
	}
	stores, err := c.Files()
	if err != nil {
		return err
	}
	snapshot, err := hdfsstate.OpenSnapshot(ctx, stores, s.words[1])
	if err != nil {
		return err
	}
	return verb(ctx, snapshot, s.inspect)
}

// wanted are the operators that were asked for.
func (q stateQuestion) wanted(s *hdfsstate.Snapshot) ([]*manifest.Operator, error) {
	var ops []*manifest.Operator
	var names []string
	for i := range s.Operators {
		op := &s.Operators[i]
		names = append(names, operatorLabel(op))
		if q.operator == "" || op.UID == q.operator || op.Name == q.operator || op.ID == q.operator {
			ops = append(ops, op)
		}
	}
	if len(ops) == 0 && q.operator != "" {
		return nil, &client.Failure{Code: client.ExitUsage, Err: fmt.Errorf("%s has no operator %q; it has %s", s.Path, q.operator, strings.Join(names, ", "))}
	}
	return ops, nil
}

func operatorLabel(op *manifest.Operator) string {
	if op.UID != "" {
		return op.UID
	}
	return op.Name
}

func (p *process) listState(ctx context.Context, s *hdfsstate.Snapshot, q stateQuestion) error {
	ops, err := q.wanted(s)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(p.stdout)
	defer out.Flush()
	fmt.Fprintf(out, "%s %d of job %s (%s), begun %s, written by %s\n%d bytes of state, %d files, %d bytes of metadata\n", s.Kind, s.ID, s.Job, s.JobName,
		time.UnixMilli(s.Triggered).UTC().Format(time.RFC3339), s.Writer, s.Size(), len(s.Files()), s.Bytes)
	for _, op := range ops {
		uid := "no UID"
		if op.UID != "" {
			uid = "UID " + op.UID
		}
		fmt.Fprintf(out, "\n%s (%s, %s), parallelism %d of %d%s\n", op.Name, uid, op.ID, op.Parallelism, op.MaxParallelism, ended(op))
		if op.Coordinator != nil {
			fmt.Fprintf(out, "   %-24s coordinator  %d bytes\n", "", op.Coordinator.Length)
		}
		if q.quick {
			for _, st := range op.States {
				fmt.Fprintf(out, "   %-24s %-12s %s\n", st.Name, st.Kind, typeText(st))
			}
			continue
		}
		sizes, err := s.Sizes(ctx, op)
		if err != nil {
			return err
		}
		for _, z := range sizes {
			if q.state == "" || q.state == z.Name {
				fmt.Fprintf(out, "   %-24s %-12s %d bytes, %s  %s\n", z.Name, z.Kind, z.Bytes, entryCount(z), typeText(z.State))
			}
		}
	}
	return nil
}

func ended(op *manifest.Operator) string {
	n := 0
	for _, s := range op.Subtasks {
		if s.Finished {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of its subtasks had ended", n)
}

func entryCount(z hdfsstate.StateSize) string {
	words := map[manifest.StateKind]string{manifest.Keyed: "keys", manifest.Timers: "timers"}
	word := words[z.Kind]
	switch {
	case z.Entries < 0:
		return "of another form"
	case word == "":
		word = "elements"
	}
	return fmt.Sprintf("%d %s", z.Entries, word)
}

func typeText(st manifest.State) string {
	switch {
	case st.Value == "":
		return "(type not stored)"
	case st.Key == "":
		return st.Value
	}
	return st.Key + " -> " + st.Value
}

func (p *process) catState(ctx context.Context, s *hdfsstate.Snapshot, q stateQuestion) error {
	ops, err := q.wanted(s)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(p.stdout)
	defer out.Flush()
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for _, op := range ops {
		want := func(name string) bool { return q.state == "" || q.state == name }
		if err := s.Entries(ctx, op, want, func(e hdfsstate.Entry) error { return lines.Encode(e) }); err != nil {
			return err
		}
	}
	return nil
}

func (p *process) verifyState(ctx context.Context, s *hdfsstate.Snapshot, _ stateQuestion) error {
	v, err := s.Verify(ctx)
	if err != nil {
		return err
	}
	for _, problem := range v.Problems {
		fmt.Fprintln(p.stdout, problem)
	}
	if n := len(v.Problems); n > 0 {
		return fmt.Errorf("%s %d in %s: %d pieces are damaged, %d are good", s.Kind, s.ID, s.Path, n, v.Pieces-n)
	}
	fmt.Fprintf(p.stdout, "%s %d in %s is whole: %d pieces, %d bytes, and its metadata\n", s.Kind, s.ID, s.Path, v.Pieces, v.Bytes)
	return nil
}
