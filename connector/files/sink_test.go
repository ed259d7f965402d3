package files

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/faultfs"
	"github.com/weft-project/weft/internal/fs/local"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
)

const sinkID = "0123456789abcdef0123456789abcdef"

var sinkJob = id.Job{0xab}

// sinkRun is one attempt of a job whose only operator is a text sink.
type sinkRun struct {
	t        *testing.T
	ctx      *operator.Context
	output   string
	subtasks int
	host     operator.Coordinator
}

func newSinkRun(t *testing.T, output string, subtasks, jobAttempt int) *sinkRun {
	t.Helper()
	reg := fs.NewRegistry()
	reg.Register("file", local.Factory)
	c := &operator.Context{Ctx: t.Context(), Attempt: id.Attempt{Job: sinkJob}, JobAttempt: jobAttempt, Parallelism: subtasks, Files: reg,
		Ops: []string{"write"}, OpIDs: []string{sinkID}}
	r := &sinkRun{t: t, ctx: c, output: output, subtasks: subtasks}
	_, coordinator := TextSink(output, func(dst []byte, v *int) []byte { return fmt.Append(dst, *v) })
	var err error
	if r.host, err = coordinator(&operator.CoordinatorContext{Context: c, OperatorID: sinkID, Subtasks: subtasks}); err != nil {
		t.Fatal(err)
	}
	return r
}

// start is the coordinator's check of the output.
func (r *sinkRun) start() error { return r.host.Start(r.t.Context()) }

// part writes records as one subtask. Unless whole, it breaks before its end.
func (r *sinkRun) part(subtask int, whole bool, records ...int) {
	r.t.Helper()
	c := *r.ctx
	c.Attempt.Subtask = subtask
	c.Call = func(ctx context.Context, _ string, payload []byte) ([]byte, error) {
		return r.host.Handle(ctx, subtask, payload)
	}
	factory, _ := TextSink(r.output, func(dst []byte, v *int) []byte { return fmt.Append(dst, *v) })
	inst, err := factory(&c, 0, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := inst.Operator.Open(); err != nil {
		r.t.Fatal(err)
	}
	emit := inst.Inputs[0].(operator.Emit[int])
	for _, v := range records {
		emit(&v)
	}
	if whole {
		if err := inst.Operator.EndInput(); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := inst.Operator.Close(nil); err != nil {
		r.t.Fatal(err)
	}
}

func (r *sinkRun) done() bool {
	select {
	case <-r.host.Done():
		return true
	default:
		return false
	}
}

// lines are those of the output, in order of the parts; nil when there is none.
func outputLines(t *testing.T, output string) []string {
	t.Helper()
	names := []string{output}
	if st, err := os.Stat(output); err == nil && st.IsDir() {
		if names, err = filepath.Glob(output + "/*"); err != nil {
			t.Fatal(err)
		}
	}
	var all []string
	for _, name := range names {
		data, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Fields(string(data))...)
	}
	return all
}

// The output appears as a whole when the last part is complete.
func TestOutputAppearsAsAWhole(t *testing.T) {
	output := filepath.Join(t.TempDir(), "deep", "out")
	r := newSinkRun(t, output, 3, 0)
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	r.part(0, true, 1, 2)
	r.part(2, true)
	r.part(1, false, 99)
	if r.done() || outputLines(t, output) != nil {
		t.Errorf("an output of %v before all parts were complete", outputLines(t, output))
	}
	r.part(1, true, 3)
	if !r.done() || !slices.Equal(outputLines(t, output), []string{"1", "2", "3"}) {
		t.Errorf("output %v, done %t", outputLines(t, output), r.done())
	}
}

// An attempt that comes after one whose commit got through but whose end did not keeps that output and does not add to it.
func TestRestartAfterTheCommit(t *testing.T) {
	for _, subtasks := range []int{1, 2} {
		output := filepath.Join(t.TempDir(), "out")
		for attempt := range 3 {
			r := newSinkRun(t, output, subtasks, attempt)
			if err := r.start(); err != nil {
				t.Fatalf("attempt %d: %v", attempt, err)
			}
			for s := range subtasks {
				r.part(s, true, 10*attempt+s)
			}
			if !r.done() {
				t.Fatalf("attempt %d is not done", attempt)
			}
		}
		want := []string{"0", "1"}[:subtasks]
		if got := outputLines(t, output); !slices.Equal(got, want) {
			t.Errorf("%d subtasks: output %v, expected that of the first attempt %v", subtasks, got, want)
		}
	}
}

// Two JobManagers after one another run the job, and workers of the first live on: in whichever order they commit, the output is
// of one of them, as a whole, and the attempt that counts ends well.
func TestAnAttemptOfTheJobManagerBefore(t *testing.T) {
	const next = 1_000_000
	for _, subtasks := range []int{1, 2} {
		write := func(r *sinkRun) {
			for s := range r.subtasks {
				r.part(s, true, 10*r.ctx.JobAttempt+s)
			}
			if !r.done() {
				t.Errorf("attempt %d is not done", r.ctx.JobAttempt)
			}
		}
		for _, order := range []struct {
			name string
			run  func(before, after *sinkRun)
			want int
		}{
			{"before the next begins", func(before, after *sinkRun) {
				write(before)
				if err := after.start(); err != nil {
					t.Error(err)
				}
				write(after)
			}, 3},
			{"while the next runs", func(before, after *sinkRun) {
				if err := after.start(); err != nil {
					t.Error(err)
				}
				write(before)
				write(after)
			}, 3},
		} {
			output := filepath.Join(t.TempDir(), "out")
			before, after := newSinkRun(t, output, subtasks, 3), newSinkRun(t, output, subtasks, next)
			if err := before.start(); err != nil {
				t.Fatal(err)
			}
			order.run(before, after)
			want := []string{fmt.Sprint(10 * order.want), fmt.Sprint(10*order.want + 1)}[:subtasks]
			if got := outputLines(t, output); !slices.Equal(got, want) {
				t.Errorf("%d subtasks, the lost attempt commits %s: output %v, expected %v", subtasks, order.name, got, want)
			}
		}
		// After the next has committed the lost attempt changes nothing.
		output := filepath.Join(t.TempDir(), "out")
		before, after := newSinkRun(t, output, subtasks, 3), newSinkRun(t, output, subtasks, next)
		if err := after.start(); err != nil {
			t.Fatal(err)
		}
		for s := range subtasks - 1 {
			before.part(s, true, 30+s)
		}
		before.part(subtasks-1, false, 99)
		write(after)
		before.part(subtasks-1, true, 30+subtasks-1)
		want := []string{fmt.Sprint(10 * next), fmt.Sprint(10*next + 1)}[:subtasks]
		if got := outputLines(t, output); !slices.Equal(got, want) {
			t.Errorf("%d subtasks, the lost attempt commits last: output %v, expected %v", subtasks, got, want)
		}
	}
}

// An earlier attempt that broke off leaves nothing that a later one would publish.
func TestRestartBeforeTheCommit(t *testing.T) {
	output := filepath.Join(t.TempDir(), "out")
	first := newSinkRun(t, output, 2, 0)
	if err := first.start(); err != nil {
		t.Fatal(err)
	}
	first.part(0, true, 7)
	second := newSinkRun(t, output, 2, 1)
	if err := second.start(); err != nil {
		t.Fatal(err)
	}
	second.part(0, true, 1)
	second.part(1, true, 2)
	if got := outputLines(t, output); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("output %v, expected that of the second attempt", got)
	}
}

// An output of somebody else is refused before any work, also when it came while the job ran or after a commit had begun.
func TestForeignOutputIsRefused(t *testing.T) {
	foreign := func(output string) {
		if err := os.WriteFile(output, []byte("foreign"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "exists already: remove it or choose another name") || operator.DomainOf(err) != planpb.FailureDomain_USER {
			t.Errorf("error %v", err)
		}
	}
	output := filepath.Join(t.TempDir(), "out")
	foreign(output)
	refused(newSinkRun(t, output, 1, 0).start())
	refused(newSinkRun(t, output, 1, 4).start())

	output = filepath.Join(t.TempDir(), "out")
	r := newSinkRun(t, output, 2, 0)
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	r.part(0, true, 1)
	foreign(output)
	part := filepath.Join(attemptDirOf(output, 0), "x")
	if err := os.WriteFile(part, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := json.Marshal(partReport{Parts: []string{part}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.host.Handle(t.Context(), 1, report)
	refused(err)
	// The mark of that commit lies there, and so do its parts: the output is not ours.
	refused(newSinkRun(t, output, 2, 1).start())
	if data, err := os.ReadFile(output); err != nil || string(data) != "foreign" || r.done() {
		t.Errorf("output %q, %v, done %t", data, err, r.done())
	}
}

// attemptDirOf is where an attempt writes its parts.
func attemptDirOf(output string, attempt int) string {
	return filepath.Join(filepath.Dir(output), ".weft-"+sinkJob.String(), fmt.Sprintf("%.8s-%d", sinkID, attempt))
}

// Parts that the committer can not see, because they lie on another machine's disk, are not passed over: nothing is published.
func TestPartsOfAnotherMachine(t *testing.T) {
	for _, subtasks := range []int{1, 3} {
		output := filepath.Join(t.TempDir(), "out")
		r := newSinkRun(t, output, subtasks, 0)
		for s := range subtasks - 1 {
			r.part(s, true, s)
		}
		report, err := json.Marshal(partReport{Parts: []string{filepath.Join(attemptDirOf(output, 0), fmt.Sprintf("part-%05d", subtasks-1))}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.host.Handle(t.Context(), subtasks-1, report)
		if err == nil || !strings.Contains(err.Error(), "must be shared by all machines") || r.done() {
			t.Errorf("%d subtasks: done %t, %v", subtasks, r.done(), err)
		}
		if got := outputLines(t, output); got != nil {
			t.Errorf("%d subtasks: output %v", subtasks, got)
		}
	}
}

// A commit whose answer was lost is one.
func TestAnswerOfTheCommitIsLost(t *testing.T) {
	for _, subtasks := range []int{1, 2} {
		output := filepath.Join(t.TempDir(), "out")
		r := newSinkRun(t, output, subtasks, 0)
		store := faultfs.New(local.New(), faultfs.Fault{Op: "Rename", When: faultfs.After})
		r.ctx.Files = fs.NewRegistry()
		r.ctx.Files.Register("file", func(string) (fs.FileSystem, error) { return store, nil })
		for s := range subtasks {
			r.part(s, true, s)
		}
		if want := []string{"0", "1"}[:subtasks]; !r.done() || !slices.Equal(outputLines(t, output), want) {
			t.Errorf("%d subtasks: done %t, output %v", subtasks, r.done(), outputLines(t, output))
		}
	}
}

// A file that has become shorter since its splits were planned is an error, not an input with fewer lines.
func TestInputCutAfterThePlan(t *testing.T) {
	name := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(name, []byte("a\nb\nc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	reg := fs.NewRegistry()
	reg.Register("file", local.Factory)
	splits, err := PlanSplits(t.Context(), reg, name, 1)
	if err != nil || len(splits) != 1 {
		t.Fatal(splits, err)
	}
	if err := os.WriteFile(name, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := NewLineReader(t.Context(), local.New(), name, splits[0])
	if err == nil {
		r.Close()
		t.Fatal("the shorter file is read")
	}
	if !strings.Contains(err.Error(), "replaced or cut") {
		t.Error(err)
	}
}

// The planned splits of a file are without gap and overlap, and neither tiny nor huge.
func TestSplitsCoverAFile(t *testing.T) {
	dir := t.TempDir()
	reg := fs.NewRegistry()
	reg.Register("file", local.Factory)
	for _, size := range []int64{1, 1 << 20, 1<<20 + 1, 1<<20 + 200_000, 5 << 20, 300 << 20, 64<<20*8 + 5} {
		name := filepath.Join(dir, fmt.Sprint(size))
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil { // nobody reads it: a hole will do
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		for _, readers := range []int{0, 1, 2, 7, 100} {
			splits, err := PlanSplits(t.Context(), reg, name, readers)
			if err != nil {
				t.Fatal(err)
			}
			at := int64(0)
			for _, s := range splits {
				if s.Offset != at || s.Length < 1 || s.Length > maxSplit+maxSplit/10 || s.FileSize != size {
					t.Errorf("%d bytes for %d readers: split %+v, expected one from %d", size, readers, s, at)
				}
				at += s.Length
			}
			if at != size || size > 10<<20 && readers > 0 && len(splits) < min(readers, int(size/minSplit)) {
				t.Errorf("%d bytes for %d readers: %d splits up to %d", size, readers, len(splits), at)
			}
		}
	}
}
