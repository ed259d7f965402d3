package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-project/weft/checkpoint"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// task is one execution attempt of one subtask.
type task struct {
	r             *Runtime
	attempt       id.Attempt
	td            *controlpb.TaskDeployment
	vertex        *planpb.JobVertex
	code          *operator.Vertex
	isCoordinator bool
	coordinator   string
	memory        int64 // this subtask's part of the worker's budget, in bytes
	managed       int64 // what each of its operators may sort and aggregate in
	ctx           context.Context
	cancel        context.CancelCauseFunc

	partitions map[uint32]*network.Partition
	// consumers of each partition, by subpartition.
	consumers map[uint32][]consumer
	gate      *network.Gate
	// edges is the edge of each gate channel.
	edges []uint32

	opctx   *operator.Context
	chain   *operator.Chain
	mailbox *operator.Mailbox
	// part is the task's in checkpoints, keeper the coordinator task's; storing are the snapshots that are being written.
	part    *participant
	keeper  *keeper
	storing sync.WaitGroup
	// valve makes one watermark of those of all channels; nil in sources.
	valve   *eventtime.Valve
	writers []operator.Writer
	readers map[uint32]operator.Reader

	// Owned by the task's goroutine.
	recordsIn int64
	// started is set before the task's goroutine runs, and with it what is waited for: credit, and input.
	started       time.Time
	blocked, idle *operator.Waiting

	// pub is what other goroutines may read, written once a batch; so are the figures, and the gate once it is open.
	pub        published
	figures    figures
	hasNamed   atomic.Bool
	openedGate atomic.Pointer[network.Gate]
}

// consumer is a task that reads what this one writes.
type consumer struct {
	attempt id.Attempt
	here    bool // it runs in this worker
}

// errLeft is the failure of a task whose goroutine the author's code has ended.
var errLeft = errors.New("the function ended the task's goroutine (runtime.Goexit, or FailNow of a test)")

// run is the life of the task.
func (t *task) run() {
	t.report(controlpb.ExecutionState_STATE_INITIALIZING, nil)
	err := errLeft
	defer func() { t.end(err) }()
	err = t.work()
}

// end tells what became of the task.
func (t *task) end(err error) {
	if errors.Is(err, errLeft) && t.chain != nil {
		failed := t.opctx.Op
		_ = t.chain.Close(err) // the goroutine's end is the failure
		t.opctx.Op = failed
	}
	if cause := context.Cause(t.ctx); err != nil && cause != nil && !errors.Is(err, errPanic) {
		err = cause // what a canceled task trips over on its way out is not the reason
	}
	t.closeNetwork(err)
	t.publish()
	if t.figures.chain.Load() != nil {
		t.collect()
	}
	t.pub.done.Store(int64(time.Since(t.started)))
	switch {
	case err == nil:
		t.report(controlpb.ExecutionState_STATE_FINISHED, nil)
	case errors.Is(err, errCanceled) || errors.Is(err, context.Canceled):
		t.report(controlpb.ExecutionState_STATE_CANCELED, nil)
	default:
		t.holdBack(err)
		t.report(controlpb.ExecutionState_STATE_FAILED, t.failure(err))
	}
	t.cancel(errCanceled)
	t.free()
}

// peerGrace is how long a task that failed because of a peer waits for the peer's own report to arrive first, so that the
// root cause is what people see and what decides about a restart.
const peerGrace = time.Second

func (t *task) holdBack(err error) {
	if errors.Is(err, network.ErrPeerGone) || errors.Is(err, network.ErrPeerFailed) {
		select {
		case <-time.After(peerGrace):
		case <-t.ctx.Done():
		}
	}
}

func (t *task) work() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = t.panicked(p)
		}
	}()
	defer func() {
		if err != nil && t.part != nil {
			t.part.giveUp(func(checkpoint.Ref) bool { return true })
		}
		t.storing.Wait() // what a task acknowledges comes before its end
	}()
	if t.isCoordinator {
		return t.coordinate()
	}
	if t.td.GetRestore().GetFinished() {
		return t.runFinished()
	}
	if err := t.link(); err != nil {
		return err
	}
	err = t.process()
	failed := t.opctx.Op
	if closeErr := t.chain.Close(err); err == nil {
		return closeErr
	}
	t.opctx.Op = failed // Close has passed through all operators
	return err
}

// process runs the chain from Open to the end of its input.
func (t *task) process() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = t.panicked(p)
		}
	}()
	if err := t.chain.Open(); err != nil {
		return err
	}
	if err := t.restore(); err != nil {
		return err
	}
	t.report(controlpb.ExecutionState_STATE_RUNNING, nil)
	loop := t.gateLoop
	if t.chain.Source != nil {
		loop = t.sourceLoop
	}
	if err := loop(); err != nil {
		return err
	}
	return t.finishInput()
}

// endInput ends event time, the operators' input, and the output.
func (t *task) endInput() error {
	t.chain.Watermark(eventtime.Max)
	if err := t.chain.EndInput(); err != nil {
		return err
	}
	return t.endWriters()
}

func (t *task) endWriters() error {
	for _, w := range t.writers {
		if err := w.End(); err != nil {
			return err
		}
	}
	return nil
}

func (t *task) openPartitions() error {
	t.partitions = map[uint32]*network.Partition{}
	t.consumers = map[uint32][]consumer{}
	for _, out := range t.td.GetOutputs() {
		var consumers []id.Attempt
		for _, c := range out.GetConsumers() {
			a, err := AttemptOf(c)
			if err != nil {
				return err
			}
			consumers = append(consumers, a)
			t.consumers[out.GetEdge()] = append(t.consumers[out.GetEdge()], consumer{attempt: a})
		}
		p, err := t.r.cfg.Manager.OpenPartition(network.PartitionConfig{Producer: t.attempt, Edge: out.GetEdge(), Consumers: consumers, Spill: t.stored(out.GetEdge())})
		if err != nil {
			return err
		}
		t.partitions[out.GetEdge()] = p
	}
	return nil
}

// placeConsumers tells which consumers are among the tasks of this worker: before they attach, nothing else does.
func (t *task) placeConsumers(here map[id.Attempt]*task) {
	for _, list := range t.consumers {
		for i := range list {
			_, list[i].here = here[list[i].attempt]
		}
	}
}

func (t *task) openGate() error {
	var channels []network.ChannelConfig
	for _, in := range t.td.GetInputs() {
		for _, ch := range in.GetChannels() {
			a, err := AttemptOf(ch.GetProducer())
			if err != nil {
				return err
			}
			channels = append(channels, network.ChannelConfig{Producer: a, Edge: in.GetEdge(), Address: ch.GetAddress(), Subpartition: int(ch.GetSubpartition())})
			t.edges = append(t.edges, in.GetEdge())
		}
	}
	if len(channels) == 0 {
		return nil
	}
	gate, err := t.r.cfg.Manager.OpenGate(network.GateConfig{Consumer: t.attempt, Channels: channels})
	if err != nil {
		return err
	}
	t.gate = gate
	t.valve = eventtime.NewValve(len(channels))
	t.pub.watermark.Store(eventtime.None)
	t.openedGate.Store(gate)
	return nil
}

// link builds the chain and joins it to gate and partitions.
func (t *task) link() error {
	if err := t.openGate(); err != nil {
		return err
	}
	g := t.r.cfg.Program.Graph
	t.part = newParticipant(t, len(t.edges), t.r.settings.Mode)
	t.opctx = &operator.Context{
		Ctx: t.ctx, Attempt: t.attempt, JobAttempt: t.r.cfg.JobAttempt, JobName: g.GetName(), TaskName: t.vertex.GetName(),
		Parallelism: int(t.td.GetParallelism()), MaxParallelism: int(t.td.GetMaxParallelism()),
		Files: t.r.cfg.Files, Log: t.r.cfg.Log, Call: t.callCoordinator, Config: t.r.cfg.Config,
		Batch: g.GetMode() == planpb.RuntimeMode_BATCH, Memory: t.memory, Managed: t.managed, Spill: t.r.spill, Op: -1,
		ObjectReuse: t.r.objectReuse, WatermarkInterval: t.r.watermarkInterval, Clock: t.r.cfg.Clock, Post: t.mailbox.Post,
	}
	var err error
	t.chain, err = t.code.Link(t.opctx, t.newWriter)
	if err != nil {
		return err
	}
	t.measured()
	t.readers = map[uint32]operator.Reader{}
	for _, e := range g.GetEdges() {
		if e.GetTarget() != t.vertex.GetId() {
			continue
		}
		typ, input := t.code.Root.In[e.GetIndex()], int(e.GetTargetInput())
		if typ == nil || input >= len(t.chain.Inputs) {
			return fmt.Errorf("edge %d into %q does not fit the program", e.GetIndex(), t.vertex.GetName())
		}
		if t.readers[e.GetIndex()], err = typ.NewReader(t.chain.Inputs[input], &t.opctx.Time, e.GetTimed()); err != nil {
			return err
		}
		if err := t.readers[e.GetIndex()].LookAhead(t.chain.LookAhead(input)); err != nil {
			return err
		}
	}
	return nil
}

func (t *task) newWriter(n *operator.Node, edge uint32, typ operator.Type) (any, operator.Writer, error) {
	p := t.partitions[edge]
	if p == nil {
		return nil, nil, fmt.Errorf("edge %d out of %q was not deployed", edge, t.vertex.GetName())
	}
	e := t.r.cfg.Program.Graph.GetEdges()[edge]
	cfg := operator.WriterConfig{Ctx: t.ctx, Partition: p, Partitioner: e.GetPartitioner(), Subtask: t.attempt.Subtask, Timed: e.GetTimed(), Time: &t.opctx.Time,
		FlushNow: t.r.flushFlag(), FlushAlways: t.r.bufferTimeout == 0, BufferSize: t.r.bufferSize, ObjectReuse: t.opctx.ObjectReuse, Blocked: t.blocked}
	if cfg.Stored = t.stored(edge) != nil; cfg.Stored {
		cfg.FlushNow, cfg.FlushAlways = new(atomic.Bool), false
	}
	if mk := n.KeyHashes[edge]; mk != nil {
		cfg.KeyHash = mk()
	}
	for _, v := range t.r.cfg.Program.Graph.GetVertices() {
		if v.GetId() == e.GetTarget() {
			cfg.MaxParallelism = int(v.GetMaxParallelism())
		}
	}
	emit, w, err := typ.NewWriter(cfg)
	if err != nil {
		return nil, nil, err
	}
	t.writers = append(t.writers, w)
	return emit, w, nil
}

// closeNetwork ends gate and partitions; after a failure consumers are told. Partitions of a task that has finished free
// themselves when their consumers have read them.
func (t *task) closeNetwork(err error) {
	if t.gate != nil {
		t.gate.Close()
	}
	if err == nil {
		return
	}
	for _, p := range t.partitions {
		p.Close(err)
	}
}

func (t *task) report(s controlpb.ExecutionState, f *planpb.Failure) {
	state := &controlpb.TaskState{Id: t.td.GetId(), JobAttempt: int32(t.r.cfg.JobAttempt), State: s, Failure: f}
	switch s {
	case controlpb.ExecutionState_STATE_FINISHED, controlpb.ExecutionState_STATE_CANCELED, controlpb.ExecutionState_STATE_FAILED:
		if t.opctx != nil {
			state.Accumulators = t.opctx.Accumulators()
		}
		state.Metrics = t.metrics()
	}
	t.r.cfg.Report(state)
}
