package worker_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/internal/randomjob"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/state"
	"github.com/weft-project/weft/stream"
)

// failureSeeds is how many programs are drawn.
const failureSeeds = 20

// ledger is the outside world of a job: what its sinks have committed. A transaction counts once, however often it is committed.
type ledger struct {
	mu   sync.Mutex
	seen map[string]bool
	out  map[string]int
	// keep puts a record down.
	keep func(out map[string]int, e entry)
	// opened makes names of transactions that no other one has.
	opened int
}

// entry is what a sink was given: a record, or a key's total.
type entry struct {
	Text  string
	Total int64
}

func newLedger(keep func(map[string]int, entry)) *ledger {
	return &ledger{seen: map[string]bool{}, out: map[string]int{}, keep: keep}
}

// keepAll is for runs whose records come once each: totals by their last.
func keepAll(out map[string]int, e entry) {
	if e.Total > 0 {
		out[e.Text] = max(out[e.Text], int(e.Total))
		return
	}
	out[e.Text]++
}

func (l *ledger) name(c *operator.Context) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened++
	return fmt.Sprint(c.Attempt, " ", l.opened)
}

func (l *ledger) commit(tx transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen[tx.Name] {
		return
	}
	l.seen[tx.Name] = true
	for _, e := range tx.Entries {
		l.keep(l.out, e)
	}
}

func (l *ledger) commits() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

// transaction is what a sink has taken between two checkpoints.
type transaction struct {
	Name    string
	Ref     checkpoint.Ref
	Entries []entry
}

// committingSink takes records and commits them when their checkpoint is complete.
type committingSink struct {
	operator.Base
	l        *ledger
	c        *operator.Context
	entries  []entry
	prepared []transaction
}

// withCommits gives all sinks of a random program such an operator.
func withCommits(p *operator.Program, l *ledger) *operator.Program {
	var visit func(n *operator.Node)
	visit = func(n *operator.Node) {
		if strings.HasPrefix(n.Name, "sink ") {
			was, name := n.Factory, n.Name
			n.Factory = func(c *operator.Context, op int, out any) (operator.Instance, error) {
				inst, err := was(c, op, out)
				if err != nil {
					return inst, err
				}
				s := &committingSink{l: l, c: c}
				var in any
				switch inst.Inputs[0].(type) {
				case operator.Emit[randomjob.Record]:
					in = operator.Emit[randomjob.Record](func(r *randomjob.Record) {
						s.entries = append(s.entries, entry{Text: name + ": " + r.String()})
					})
				case operator.Emit[stream.Counted[int32]]:
					in = operator.Emit[stream.Counted[int32]](func(r *stream.Counted[int32]) {
						s.entries = append(s.entries, entry{fmt.Sprint(name, " of ", r.Key), r.N})
					})
				default:
					return inst, fmt.Errorf("sink %q takes %T", name, inst.Inputs[0])
				}
				return operator.Instance{Operator: s, Inputs: []any{in}}, nil
			}
		}
		for _, c := range n.Chained {
			visit(c.Node)
		}
	}
	for _, v := range p.Vertices {
		visit(v.Root)
	}
	return p
}

// BeforeSnapshot is operator.Preparer's.
func (s *committingSink) BeforeSnapshot(ref checkpoint.Ref) error {
	if len(s.entries) > 0 {
		s.prepared = append(s.prepared, transaction{s.l.name(s.c), ref, s.entries})
		s.entries = nil
	}
	return nil
}

// Completed is operator.Committer's.
func (s *committingSink) Completed(ref checkpoint.Ref) error {
	for len(s.prepared) > 0 && s.prepared[0].Ref.Compare(ref) <= 0 {
		s.l.commit(s.prepared[0])
		s.prepared = s.prepared[1:]
	}
	return nil
}

// Pending is operator.Committer's.
func (s *committingSink) Pending() bool { return len(s.entries)+len(s.prepared) > 0 }

// Restored is operator.Restored's.
func (s *committingSink) Restored() error {
	for _, tx := range s.prepared {
		s.l.commit(tx)
	}
	s.prepared = nil
	return nil
}

// KeyedState is operator.Stateful's.
func (s *committingSink) KeyedState() []state.Part { return nil }

// OperatorState is operator.Stateful's.
func (s *committingSink) OperatorState() map[string]state.OperatorPart {
	return map[string]state.OperatorPart{"prepared": (*preparedPart)(s)}
}

// preparedPart is the state of a sink.
type preparedPart committingSink

// Name is state.OperatorPart's.
func (*preparedPart) Name() string { return "prepared" }

// Redistribution is state.OperatorPart's.
func (*preparedPart) Redistribution() state.Redistribution { return state.Split }

// Snapshot is state.OperatorPart's.
func (s *preparedPart) Snapshot() [][]byte {
	var out [][]byte
	for _, tx := range s.prepared {
		b, err := json.Marshal(tx)
		if err != nil {
			operator.Abort(err)
		}
		out = append(out, b)
	}
	return out
}

// Restore is state.OperatorPart's.
func (s *preparedPart) Restore(elements [][]byte) error {
	for _, e := range elements {
		var tx transaction
		if err := json.Unmarshal(e, &tx); err != nil {
			return err
		}
		s.prepared = append(s.prepared, tx)
	}
	return nil
}

// ignore is for programs whose sinks are replaced.
type ignore struct{}

// Record is randomjob.Sink's.
func (ignore) Record(string, string) {}

// Total is randomjob.Sink's.
func (ignore) Total(string, string, int64) {}

// Random programs whose workers are lost at random moments, and that are stopped and started again at other parallelisms, give what they give
// when nothing happens.
func TestRandomProgramsSurviveFailures(t *testing.T) {
	for seed := uint64(1); seed <= failureSeeds; seed++ {
		out := &drawn{out: map[string]int{}}
		undisturbed(t, programOf(t, func(env *stream.Env) {
			env.SetParallelism(2)
			randomjob.Build(env, seed, out)
		}))
		l := newLedger(keepAll)
		m := newMaster(t, seed, l, "EXACTLY_ONCE", func(env *stream.Env) { randomjob.BuildSlow(env, seed, ignore{}) })
		m.run()
		sameRecords(t, m.String(), l.out, out.take())
		if t.Failed() {
			return
		}
	}
}

// At least once: state may have counted a record twice, but every record has been through every step.
func TestNothingIsLostAtLeastOnce(t *testing.T) {
	const n, keys = 600, 7
	for seed := uint64(1); seed <= failureSeeds/4; seed++ {
		l := newLedger(keepAll)
		m := newMaster(t, seed, l, "AT_LEAST_ONCE", func(env *stream.Env) {
			var all []*stream.Stream[randomjob.Record]
			for s := range 2 {
				all = append(all, stream.GenerateRate(env, fmt.Sprint("source ", s), n, 4000, func(i int64) randomjob.Record {
					return randomjob.Record{ID: i, Key: int32(i % keys), N: int64(s)}
				}))
			}
			mixed := stream.Map(stream.Rebalance(stream.Union(all[0], all[1])), "map", func(r randomjob.Record) randomjob.Record { return r })
			keyed := stream.KeyBy(mixed, func(r randomjob.Record) int32 { return r.Key })
			total := stream.DeclareValue[int64](keyed, "count")
			counted := stream.KeyedProcess(keyed, "count", func(k *stream.Keyed[int32], emit func(randomjob.Record)) func(randomjob.Record) {
				count := total.In(k)
				return func(r randomjob.Record) {
					c, _ := count.Get()
					count.Set(c + 1)
					emit(r)
				}
			})
			stream.ForEach(counted, "sink 1", func(randomjob.Record) {})
			stream.ForEach(stream.Count(keyed, "total"), "sink 2", func(stream.Counted[int32]) {})
		})
		m.run()
		for s := range int64(2) {
			for i := range int64(n) {
				want := "sink 1: " + randomjob.Record{ID: i, Key: int32(i % keys), N: s}.String()
				if l.out[want] == 0 {
					t.Fatalf("%s: %q was lost", m, want)
				}
			}
		}
		for k := range keys {
			if got, want := l.out[fmt.Sprint("sink 2 of ", k)], 2*((n-k+keys-1)/keys); got < want {
				t.Fatalf("%s: %d records of key %d were counted: expected %d or more", m, got, k, want)
			}
		}
	}
}

// undisturbed runs a program in one process.
func undisturbed(t *testing.T, p *operator.Program) {
	t.Helper()
	w := startWorkers(t, p, 1, p.Graph.GetConfig())
	w.run().finished(t, totalTasks(p))
}
