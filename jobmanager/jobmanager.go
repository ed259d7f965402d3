package jobmanager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/security"
)

// maxMessage bounds one control message, in bytes.
const maxMessage = 64 << 20

// tick is how often timeouts are looked at.
const tick = 500 * time.Millisecond

// endLimit bounds the wait for the ends of jobs when the cluster is shut down.
const endLimit = 5 * time.Second

// JobManager is one leader of a cluster.
type JobManager struct {
	o       Options
	s       settings
	l       *loop
	host    string
	started time.Time

	// Owned by the loop.
	jobs  map[id.Job]*job
	order []*job // submission order
	// first is the job that was submitted first; hasFirst is closed when there is one.
	first    *job
	hasFirst chan struct{}
	tms      map[string]*taskManager
	pending  map[string]time.Time // launched, not registered yet
	lost     map[string]lostTaskManager
	// draining are TaskManagers that get no more jobs, and why.
	draining map[string]string
	// released are those given back because they had nothing to do, until the platform says that they have ended.
	released map[string]bool
	// gone tells of TaskManagers whether all of them has ended, where that can be seen (Options.Watch).
	gone map[string]func() bool
	// plannings are the mains of uploaded programs that run or wait for a slot, in the order in which they came.
	plannings []*planning
	// fileRequests are questions about files of TaskManagers, by their number; fileRequest is the last number.
	fileRequests map[uint64]*fileRequest
	fileRequest  uint64
	// hadoopTokens replace those that TaskManagers were started with; nil while there are no others.
	hadoopTokens []byte
	// refused is the driver's last reason why there are no more TaskManagers; empty when there is none.
	refused string
	// ending: the cluster is being shut down.
	ending   bool
	end      func(error)
	listener *security.Listener
}

// errSuperseded ends a JobManager that another one has followed.
var errSuperseded = errors.New("another JobManager leads")

// New makes a JobManager; Run makes it work.
func New(o Options) (*JobManager, error) {
	if !o.Secret.Valid() {
		return nil, fmt.Errorf("the cluster's secret is missing")
	}
	if o.Spec.Slots < 1 {
		return nil, fmt.Errorf("slots of a TaskManager: %d: expected 1 or more", o.Spec.Slots)
	}
	if err := o.Config.Check(); err != nil {
		return nil, err
	}
	if _, err := strategyOf(o.Config); err != nil {
		return nil, err
	}
	if o.Target == "" {
		o.Target = config.TargetSession
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	m := &JobManager{o: o, s: o.settings(), l: newLoop(), host: host, started: time.Now(), hasFirst: make(chan struct{}), jobs: map[id.Job]*job{}, tms: map[string]*taskManager{},
		pending: map[string]time.Time{}, lost: map[string]lostTaskManager{}, draining: map[string]string{}, released: map[string]bool{}, gone: map[string]func() bool{},
		fileRequests: map[uint64]*fileRequest{}}
	if err := m.restore(); err != nil {
		return nil, err
	}
	return m, nil
}

// Backend is what REST shows and changes.
func (m *JobManager) Backend() rest.Backend { return &backend{m} }

// Run serves until ctx ends, the cluster is shut down (nil) or can not go on (an error).
func (m *JobManager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	shut := make(chan error, 1)
	m.end = func(err error) {
		select {
		case shut <- err:
		default:
		}
	}
	secret := m.o.Secret.Derive(security.LabelControl)
	server := grpc.NewServer(grpc.Creds(security.GRPCCredentials(secret)), grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
	controlpb.RegisterJobManagerServer(server, &control{m: m, ctx: ctx})
	m.listener = security.NewListener(m.o.RPCListen, security.DefaultPending, security.FixedSecret(secret), nil, m.o.Log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(m.listener) }()
	looped := make(chan struct{})
	go func() { defer close(looped); m.l.run(ctx) }()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var err error
	if m.o.Driver != nil {
		err = m.o.Driver.Start(ctx, m.o.Epoch, events{m})
	}
	if len(m.o.Restored) > 0 {
		go m.releaseRestored(ctx)
	}
	for running := err == nil; running; {
		select {
		case <-ticker.C:
			m.l.post(m.look)
		case err = <-shut:
			running = false
		case err = <-served:
			err = fmt.Errorf("listener for TaskManagers %s: %w", m.o.RPCListen.Addr(), err)
			running = false
		case <-ctx.Done():
			running = false
		}
	}
	if err == nil {
		m.endJobs()
	}
	if !errors.Is(err, errSuperseded) { // then the TaskManagers are another's
		m.stopTaskManagers()
	}
	cancel(nil)
	server.Stop()
	<-looped
	return err
}

// endJobs cancels every job and waits a while for their ends, so that their output is cleaned up and who watches hears it.
func (m *JobManager) endJobs() {
	ctx, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	for {
		var changed chan struct{}
		if err := m.l.ask(ctx, func() {
			m.ending = true
			for _, p := range slices.Clone(m.plannings) {
				m.stopPlanning(p, "the cluster is being shut down")
			}
			for _, j := range m.order {
				if !execution.Ended(j.x.Status) {
					_ = m.cancelJob(j) // one that is ending already only needs time
				}
			}
			for _, j := range m.order {
				if !execution.Ended(j.x.Status) {
					changed = j.changed
				}
			}
		}); err != nil || changed == nil {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// stopTaskManagers tells every TaskManager to end and gives the messages a moment to leave.
func (m *JobManager) stopTaskManagers() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var all []*taskManager
	if err := m.l.ask(ctx, func() {
		for _, tm := range m.tms {
			all = append(all, tm)
			tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Shutdown{Shutdown: "the cluster is shut down"}})
		}
	}); err != nil {
		return
	}
	for _, tm := range all {
		select {
		case <-tm.gone:
		case <-ctx.Done():
			return
		}
	}
}

// look meets the timeouts: silent TaskManagers, idle ones, slots that nobody gave.
func (m *JobManager) look() {
	now := time.Now()
	for _, tm := range m.tms {
		if now.Sub(tm.heard) > m.s.heartbeatTimeout {
			m.loseTaskManager(tm, fmt.Sprintf("no heartbeat for %s", m.s.heartbeatTimeout))
		}
	}
	m.releaseLost(now)
	m.releaseIdle(now)
	m.tellShortage(now)
	m.expirePlannings(now, m.s.slotRequest, fmt.Sprintf("within %s (slot.request.timeout)", m.s.slotRequest))
	m.schedule() // a fence may have fallen with time
	for _, j := range m.order {
		if !j.waitingSince.IsZero() && now.Sub(j.waitingSince) > m.s.slotRequest {
			m.slotTimeout(j, fmt.Sprintf("within %s (slot.request.timeout)", m.s.slotRequest))
		}
	}
}

func nowMs() int64 { return time.Now().UnixMilli() }
