package files

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/operator"
)

// ScratchPath is where the unfinished output of a job lies, beside the output; "{job}" stands for the job id.
func ScratchPath(output string) string {
	scheme, authority, p := fs.SplitURI(output)
	scratch := path.Join(path.Dir(path.Clean(p)), ".weft-{job}")
	if scheme == "" {
		return scratch
	}
	return scheme + "://" + authority + scratch
}

// partReport tells the committer that a subtask's parts are complete.
type partReport struct {
	Parts   []string
	Records int64
}

type partReply struct{}

// TextSink writes lines that format makes of records to output: one file where the sink's parallelism is 1, else a
// directory of part files. format appends a record's line, without its end.
func TextSink[T any](output string, format func(dst []byte, v *T) []byte) (operator.Factory, operator.CoordinatorFactory) {
	return func(c *operator.Context, op int, _ any) (operator.Instance, error) {
			s := &sink{c: c, op: op, output: output}
			var line []byte
			in := operator.Emit[T](func(v *T) {
				c.Op = op
				line = append(format(line[:0], v), '\n')
				s.write(line)
			})
			return operator.Instance{Operator: s, Inputs: []any{in}}, nil
		}, func(c *operator.CoordinatorContext) (operator.Coordinator, error) {
			return &committer{c: c, output: output, done: operator.NewDoneSet(c.Subtasks), parts: map[int][]string{}}, nil
		}
}

// attemptDir is where the parts of one attempt of the job are written.
func attemptDir(c *operator.Context, opID, output string, jobAttempt int) (fs.FileSystem, string, error) {
	store, p, err := c.Files.Get(output)
	if err != nil {
		return nil, "", err
	}
	scratch := path.Join(path.Dir(p), ".weft-"+c.Attempt.Job.String())
	return store, path.Join(scratch, attemptPrefix(opID)+strconv.Itoa(jobAttempt)), nil
}

// attemptPrefix begins the names of the directories of an operator's attempts.
func attemptPrefix(opID string) string { return fmt.Sprintf("%.8s-", opID) }

type sink struct {
	operator.Base
	c       *operator.Context
	op      int
	output  string
	store   fs.FileSystem
	dir     string
	part    string
	file    fs.Writer
	buf     *bufio.Writer
	records int64
	// closed are parts that checkpoints have closed, in order; fresh are the records since the last.
	closed []string
	fresh  int64
	// opened counts this attempt's parts.
	opened int
	// ended: the committer was told. A drained sink comes to its end before its savepoint is complete, and is then stopped.
	ended bool
}

// Open is Operator's.
func (s *sink) Open() (err error) {
	s.store, s.dir, err = attemptDir(s.c, s.c.OpIDs[s.op], s.output, s.c.JobAttempt)
	if err != nil {
		return err
	}
	return s.begin()
}

// begin opens a part. The attempt's number in the directory makes its name one that no other attempt uses (F2).
func (s *sink) begin() (err error) {
	s.part = path.Join(s.dir, partName(s.c.Subtask(), s.opened))
	s.opened++
	s.file, err = s.store.Create(s.c.Ctx, s.part, fs.CreateOptions{Parents: true})
	if err != nil {
		return operator.External(fmt.Errorf("output %s: %w", s.output, err))
	}
	s.fresh = 0
	if s.buf == nil {
		s.buf = bufio.NewWriterSize(s.file, 256<<10)
	}
	s.buf.Reset(s.file)
	return nil
}

// partName is the name of the n-th part that an attempt of a subtask writes.
func partName(subtask, n int) string {
	if n == 0 {
		return fmt.Sprintf("part-%05d", subtask)
	}
	return fmt.Sprintf("part-%05d-%d", subtask, n)
}

func (s *sink) write(line []byte) {
	s.records++
	s.fresh++
	if _, err := s.buf.Write(line); err != nil {
		operator.Abort(operator.External(fmt.Errorf("output %s: %w", s.output, err)))
	}
}

// complete closes the part.
func (s *sink) complete() error {
	err := s.buf.Flush()
	if err == nil {
		err = s.file.Close()
	}
	if err != nil {
		return operator.External(fmt.Errorf("output %s: %w", s.output, err))
	}
	s.file = nil
	s.closed = append(s.closed, s.part)
	return nil
}

// EndInput is Operator's: the parts are complete, and the committer is told.
func (s *sink) EndInput() error {
	if s.ended {
		return nil
	}
	if s.fresh > 0 || len(s.closed) == 0 {
		if err := s.complete(); err != nil {
			return err
		}
	}
	if err := s.noteEnd(); err != nil {
		return err
	}
	_, err := operator.Ask[partReport, partReply](s.c, s.c.OpIDs[s.op], partReport{s.closed, s.records})
	s.ended = err == nil
	return err
}

// Close is Operator's.
func (s *sink) Close(error) error {
	if s.file == nil {
		return nil
	}
	return s.file.Abort()
}

// committer publishes the parts by one rename when all are there.
type committer struct {
	c      *operator.CoordinatorContext
	output string
	done   *operator.DoneSet
	mu     sync.Mutex
	parts  map[int][]string
	// finished are subtasks that had come to their end before the job was restored.
	finished []int
}

// Start is Coordinator's: an output that exists is refused before any work, unless an earlier attempt of this job made it.
func (m *committer) Start(ctx context.Context) error {
	store, p, err := m.c.Files.Get(m.output)
	if err != nil {
		return operator.User(err)
	}
	_, err = store.Stat(ctx, p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil:
		err = m.ours(ctx, store)
	default:
		err = operator.External(fmt.Errorf("output %s: %w", m.output, err))
	}
	if err != nil || len(m.finished) == 0 {
		return err
	}
	return m.readEnds(ctx)
}

// markSuffix ends the name of the mark that an attempt leaves before it publishes its parts. Marks lie beside the parts until
// the job has ended.
const markSuffix = ".committing"

// ours tells whether the output that exists is the commit of an attempt of this job: that attempt left its mark and its parts
// are gone, which only its rename does. An attempt under a JobManager that is gone may commit as late as this one begins or
// ends; whichever renames first is published, and the other finds its mark.
func (m *committer) ours(ctx context.Context, store fs.FileSystem) error {
	_, own, err := attemptDir(m.c.Context, m.c.OperatorID, m.output, m.c.JobAttempt)
	if err != nil {
		return err
	}
	entries, err := store.List(ctx, path.Dir(own))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return operator.External(fmt.Errorf("output %s: %w", m.output, err))
	}
	for _, e := range entries {
		dir, marked := strings.CutSuffix(e.Path, markSuffix)
		if !marked || !strings.HasPrefix(path.Base(dir), attemptPrefix(m.c.OperatorID)) {
			continue
		}
		if _, err := store.Stat(ctx, m.committed(dir)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	return operator.User(fmt.Errorf("output %s exists already: remove it or choose another name", m.output))
}

// committed is what the commit renames: the part itself or the directory of parts.
func (m *committer) committed(dir string) string {
	if m.c.Subtasks == 1 {
		return path.Join(dir, fmt.Sprintf("part-%05d", 0))
	}
	return dir
}

// Handle is Coordinator's.
func (m *committer) Handle(ctx context.Context, subtask int, payload []byte) ([]byte, error) {
	return operator.Answer(payload, func(r partReport) (partReply, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return partReply{}, m.take(ctx, subtask, r.Parts)
	})
}

// take notes a subtask's parts and commits when all are there.
func (m *committer) take(ctx context.Context, subtask int, parts []string) error {
	m.parts[subtask] = parts
	if len(m.parts) == m.c.Subtasks {
		if err := m.commit(ctx); err != nil {
			return err
		}
	}
	m.done.End(subtask)
	return nil
}

func (m *committer) commit(ctx context.Context) error {
	store, dir, err := attemptDir(m.c.Context, m.c.OperatorID, m.output, m.c.JobAttempt)
	if err != nil {
		return err
	}
	_, target, err := m.c.Files.Get(m.output)
	if err != nil {
		return err
	}
	if m.rolled(dir) {
		dir, err = m.gather(ctx, store, dir)
	} else {
		err = m.complete(ctx, store, dir)
	}
	if err != nil {
		return fmt.Errorf("output %s: %w", m.output, err)
	}
	mark, err := store.Create(ctx, dir+markSuffix, fs.CreateOptions{})
	if err == nil {
		err = mark.Close()
	}
	if errors.Is(err, fs.ErrExist) {
		err = nil // an attempt before has come so far
	}
	if err == nil {
		err = store.Rename(ctx, m.committed(dir), target, false)
	}
	if err == nil {
		return nil
	}
	// The answer may have been lost, not the rename.
	if _, statErr := store.Stat(ctx, target); statErr == nil {
		return m.ours(ctx, store)
	}
	return fmt.Errorf("output %s: %w", m.output, err)
}

// complete refuses to publish when a part that was written is not there: a store that each machine has for itself, or
// somebody who cleans up.
func (m *committer) complete(ctx context.Context, store fs.FileSystem, dir string) error {
	entries, err := store.List(ctx, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	there := map[string]bool{}
	for _, e := range entries {
		there[path.Base(e.Path)] = true
	}
	for subtask, parts := range m.parts {
		if part := parts[0]; !there[path.Base(part)] {
			return fmt.Errorf("part %s of subtask %d was written but can not be seen where the output is published; %s must be shared by all machines of the cluster",
				part, subtask, store.URI())
		}
	}
	return nil
}

// Done is Coordinator's.
func (m *committer) Done() <-chan struct{} { return m.done.Done() }

// Close is Coordinator's.
func (m *committer) Close() error { return nil }
