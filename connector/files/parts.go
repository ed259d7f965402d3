package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/state"
)

// What the text sink does in checkpoints: a part closes at each, and those closed so far are the sink's state, until the committer puts them
// together at the end of the job. They lie in the job's scratch, so a savepoint does not carry them to another job: that writes an output of
// its own.

// partsName is the name of the sink's state.
const partsName = "parts"

// storedPart is one element of it, as JSON.
type storedPart struct{ Job, Path string }

// BeforeSnapshot is operator.Preparer's.
func (s *sink) BeforeSnapshot(checkpoint.Ref) error {
	if s.file == nil || s.fresh == 0 {
		return nil
	}
	if err := s.complete(); err != nil {
		return err
	}
	return s.begin()
}

// Stopped is operator.Stopper's: what was written until the savepoint is the output.
func (s *sink) Stopped() error { return s.EndInput() }

// KeyedState is operator.Stateful's.
func (s *sink) KeyedState() []state.Part { return nil }

// OperatorState is operator.Stateful's.
func (s *sink) OperatorState() map[string]state.OperatorPart {
	return map[string]state.OperatorPart{partsName: (*closedParts)(s)}
}

// closedParts is the state of a sink.
type closedParts sink

// Name is state.OperatorPart's.
func (p *closedParts) Name() string { return partsName }

// Redistribution is state.OperatorPart's.
func (p *closedParts) Redistribution() state.Redistribution { return state.Split }

// Snapshot is state.OperatorPart's.
func (p *closedParts) Snapshot() [][]byte {
	var out [][]byte
	for _, name := range p.closed {
		b, err := json.Marshal(storedPart{p.c.Attempt.Job.String(), name})
		if err != nil {
			operator.Abort(err)
		}
		out = append(out, b)
	}
	return out
}

// Restore is state.OperatorPart's.
func (p *closedParts) Restore(elements [][]byte) error {
	for _, e := range elements {
		var s storedPart
		if err := json.Unmarshal(e, &s); err != nil {
			return fmt.Errorf("stored part %.200q: %w", e, err)
		}
		if s.Job == p.c.Attempt.Job.String() {
			p.closed = append(p.closed, s.Path)
		}
	}
	return nil
}

// endsDir is where subtasks note their parts when they come to their end: one that has ended is not run again after a failure.
func endsDir(attempt, opID string) string {
	return path.Join(path.Dir(attempt), attemptPrefix(opID)+"ended")
}

// noteEnd writes down this subtask's parts, where the job has checkpoints.
func (s *sink) noteEnd() error {
	if config.Get(config.FromMap(s.c.Config), config.CheckpointDirectory) == "" {
		return nil
	}
	b, err := json.Marshal(s.closed)
	if err != nil {
		return err
	}
	name := path.Join(endsDir(s.dir, s.c.OpIDs[s.op]), fmt.Sprintf("%05d-%d", s.c.Subtask(), s.c.JobAttempt))
	w, err := s.store.Create(s.c.Ctx, name, fs.CreateOptions{Parents: true})
	if err == nil {
		if _, err = w.Write(b); err == nil {
			err = w.Close()
		}
		if err != nil {
			err = errors.Join(err, w.Abort())
		}
	}
	if err != nil {
		return operator.External(fmt.Errorf("output %s: %w", s.output, err))
	}
	return nil
}

// Finished is operator.FinishedTaker's.
func (m *committer) Finished(subtasks []int) { m.finished = subtasks }

// readEnds learns the parts of the subtasks that had ended. Of several notes of one the newest counts: it was run again meanwhile.
func (m *committer) readEnds(ctx context.Context) error {
	store, dir, err := attemptDir(m.c.Context, m.c.OperatorID, m.output, m.c.JobAttempt)
	if err != nil {
		return err
	}
	entries, err := store.List(ctx, endsDir(dir, m.c.OperatorID))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return operator.External(fmt.Errorf("output %s: %w", m.output, err))
	}
	newest, names := map[int]int{}, map[int]string{}
	for _, e := range entries {
		a, b, ok := strings.Cut(path.Base(e.Path), "-")
		subtask, err1 := strconv.Atoi(a)
		attempt, err2 := strconv.Atoi(b)
		if ok && err1 == nil && err2 == nil && (names[subtask] == "" || attempt > newest[subtask]) {
			newest[subtask], names[subtask] = attempt, e.Path
		}
	}
	for _, subtask := range m.finished {
		if names[subtask] == "" {
			// A savepoint of another job: what it had written is that job's.
			m.parts[subtask] = []string{}
			continue
		}
		var parts []string
		b, err := readAll(ctx, store, names[subtask])
		if err == nil {
			err = json.Unmarshal(b, &parts)
		}
		if err != nil {
			return operator.External(fmt.Errorf("output %s: %s: %w", m.output, names[subtask], err))
		}
		m.parts[subtask] = parts
	}
	for _, subtask := range m.finished {
		if err := m.take(ctx, subtask, m.parts[subtask]); err != nil {
			return err
		}
	}
	return nil
}

func readAll(ctx context.Context, store fs.FileSystem, p string) ([]byte, error) {
	r, err := store.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // only read from
	return io.ReadAll(r)
}

// rolled tells that the output is more than this attempt's first part of each subtask.
func (m *committer) rolled(dir string) bool {
	for subtask, parts := range m.parts {
		if len(parts) != 1 || parts[0] != path.Join(dir, partName(subtask, 0)) {
			return true
		}
	}
	return false
}

// gather brings the parts of all attempts together in one directory, which an attempt that failed in the middle of it may have begun, and
// gives that. Nothing of it is lost when this one fails: parts are found here, too.
func (m *committer) gather(ctx context.Context, store fs.FileSystem, dir string) (string, error) {
	all := path.Join(path.Dir(dir), attemptPrefix(m.c.OperatorID)+"output")
	if err := store.MkdirAll(ctx, all, 0o755); err != nil {
		return "", err
	}
	wanted := map[string]bool{}
	var names []string // in order
	for _, subtask := range slices.Sorted(maps.Keys(m.parts)) {
		for _, p := range m.parts[subtask] {
			// Directories of attempts end in their numbers.
			_, attempt, _ := strings.Cut(path.Base(path.Dir(p)), "-")
			name := path.Join(all, path.Base(p)+"-"+attempt)
			wanted[name] = true
			names = append(names, name)
			err := store.Rename(ctx, p, name, false)
			if err == nil || errors.Is(err, fs.ErrExist) {
				continue
			}
			if _, statErr := store.Stat(ctx, name); statErr != nil {
				return "", fmt.Errorf("part %s was written but can not be seen where the output is published; %s must be shared by all machines of the cluster: %w",
					p, store.URI(), err)
			}
		}
	}
	entries, err := store.List(ctx, all)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if !wanted[e.Path] {
			if err := store.Delete(ctx, e.Path, true); err != nil {
				return "", err
			}
		}
	}
	if m.c.Subtasks > 1 {
		return all, nil
	}
	one := all + "-one"
	return one, m.join(ctx, store, names, path.Join(one, partName(0, 0)))
}

// join makes one file of parts.
func (m *committer) join(ctx context.Context, store fs.FileSystem, parts []string, to string) error {
	if err := store.Delete(ctx, to, false); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w, err := store.Create(ctx, to, fs.CreateOptions{Parents: true})
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err = appendFile(ctx, store, w, p); err != nil {
			break
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	return nil
}

func appendFile(ctx context.Context, store fs.FileSystem, w io.Writer, p string) error {
	r, err := store.Open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read from
	_, err = io.Copy(w, r)
	return err
}
