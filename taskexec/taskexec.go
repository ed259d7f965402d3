package taskexec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/security"
)

// Options of Run.
type Options struct {
	// ID is the TaskManager's resource id; on YARN the container id.
	ID string
	// Host is named to people, and is what workers listen on.
	Host string
	// JobManager finds the leader's address, host:port. It is asked again after each lost connection.
	JobManager func(ctx context.Context) (string, error)
	// Secret is the application's.
	Secret security.Secret
	// Slots, and VCores of the container; workers get processors in proportion to their slots.
	Slots, VCores int
	// ProcessMemory is the promise to the platform for this process and all its workers, in bytes.
	ProcessMemory int64
	// LogDir receives the workers' output; WorkDir holds binaries and the workers' working directories.
	LogDir, WorkDir string
	// LogName is the name of this process's own log and output, without their endings; default "taskmanager". OwnLogDir is where they
	// lie; default LogDir.
	LogName, OwnLogDir string
	// Files fetch jobs' binaries.
	Files *fs.Registry
	// Shipped are files that every worker finds in its working directory: absolute paths by the relative name they get there.
	Shipped map[string]string
	// HadoopConfFile, TokenFile and User are handed to workers, for their file systems. Empty where there is no Hadoop.
	HadoopConfFile, TokenFile, User string
	// NewTokens takes the Hadoop tokens, in the format of Hadoop's token files, that replace those of TokenFile; nil leaves this
	// process with those it has.
	NewTokens func(data []byte) error
	Version   string
	// LogURL is the base URL of this TaskManager's logs, when known.
	LogURL string
	Log    *slog.Logger
	// LeaderlessTimeout bounds the time without a leader before any has said how long it is (F3); default 3 min.
	LeaderlessTimeout time.Duration
	// Goodbye tells the JobManager the ends of the workers before the connection ends, for platforms that do not tell it.
	Goodbye bool
	// WorkerStartTimeout bounds the time from a worker's start until it has built its graph (W5); default 60 s.
	WorkerStartTimeout time.Duration
	// CheckInterval is how often memory is looked at; default 100 ms.
	CheckInterval time.Duration
}

const (
	defaultLeaderless  = 3 * time.Minute
	defaultWorkerStart = time.Minute
	defaultCheck       = 100 * time.Millisecond
	// stopLimit bounds the end of the workers when the TaskManager ends.
	stopLimit = 5 * time.Second
)

// check refuses options that can not work and fills in defaults.
func (o *Options) check() error {
	switch {
	case o.ID == "" || o.Host == "":
		return fmt.Errorf("TaskManager id %q, host %q: both must be given", o.ID, o.Host)
	case o.JobManager == nil:
		return errors.New("how to find the JobManager must be given")
	case !o.Secret.Valid():
		return errors.New("the application's secret is missing")
	case o.Slots < 1:
		return fmt.Errorf("%d slots: expected 1 or more", o.Slots)
	case o.ProcessMemory < reserve+minShare*int64(o.Slots):
		return fmt.Errorf("process memory of %d MiB is too little for %d slots: expected %d MiB or more", o.ProcessMemory>>20, o.Slots,
			(reserve+minShare*int64(o.Slots))>>20)
	}
	if o.LogName == "" {
		o.LogName = "taskmanager"
	}
	o.VCores = max(1, o.VCores)
	if o.LeaderlessTimeout <= 0 {
		o.LeaderlessTimeout = defaultLeaderless
	}
	if o.WorkerStartTimeout <= 0 {
		o.WorkerStartTimeout = defaultWorkerStart
	}
	if o.CheckInterval <= 0 {
		o.CheckInterval = defaultCheck
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// errShutdown is how the loop ends when the JobManager wanted it so.
var errShutdown = errors.New("the JobManager ended this TaskManager")

// manager is one TaskManager.
type manager struct {
	o       Options
	spawner *spawner
	posts   chan func()
	done    chan struct{}
	end     context.CancelCauseFunc
	// fetching is used by the workers' own goroutines.
	fetching turns
	applied  newest

	// Owned by the loop.
	session *session
	workers map[string]*worker // by job id
	plans   map[string]*plan   // by StartPlan's id
	// epoch is the highest seen (F1).
	epoch uint64
	// heard is when a leader was heard last; leaderless how long to go on without (F3).
	heard      time.Time
	leaderless time.Duration
	// sequence numbers the terminal states; unacked are those that no leader has taken over.
	sequence uint64
	unacked  []*controlpb.TaskStates
	// timeout is the leader's heartbeat timeout.
	timeout time.Duration
	// slimmed is when memory of this process was given back last.
	slimmed time.Time
	// tokens counts the new Hadoop tokens that have come.
	tokens uint64
	// counted is when the workers' descendants were looked for last.
	counted time.Time
	// leaving: the JobManager is told the ends of the workers, and that no others follow, before the connection ends.
	leaving bool
}

// Run is a TaskManager's life: until ctx ends or the JobManager ends it (both nil), or it can not go on. Its workers are
// gone when it returns.
func Run(ctx context.Context, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	for _, dir := range []string{o.WorkDir, o.LogDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("TaskManager directory: %w", err)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m := &manager{o: o, spawner: newSpawner(), posts: make(chan func(), 256), done: make(chan struct{}), end: cancel,
		workers: map[string]*worker{}, plans: map[string]*plan{}, heard: time.Now(), leaderless: o.LeaderlessTimeout}
	defer m.spawner.close()
	connected := make(chan struct{})
	connection, disconnect := context.WithCancel(context.WithoutCancel(ctx))
	defer disconnect()
	go func() {
		defer close(connected)
		m.connect(connection)
	}()
	m.loop(ctx)
	if m.leaving = o.Goodbye && m.session != nil && !errors.Is(context.Cause(ctx), errShutdown); !m.leaving {
		disconnect()
	}
	m.stopAll()
	if m.leaving {
		m.goodbye()
		disconnect()
	}
	close(m.done)
	<-connected
	if err := context.Cause(ctx); !errors.Is(err, errShutdown) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// post hands f to the loop; after the loop's end f is dropped.
func (m *manager) post(f func()) {
	select {
	case m.posts <- f:
	case <-m.done:
	}
}

func (m *manager) loop(ctx context.Context) {
	check := time.NewTicker(m.o.CheckInterval)
	defer check.Stop()
	for {
		select {
		case f := <-m.posts:
			f()
		case <-check.C:
			m.watchMemory()
			m.watchLeader()
		case <-ctx.Done():
			return
		}
	}
}

// goodbye ends the session when everything has been said.
func (m *manager) goodbye() {
	s := m.session
	if s == nil {
		return
	}
	close(s.finish)
	limit := time.NewTimer(goodbyeLimit)
	defer limit.Stop()
	for m.session == s {
		select {
		case f := <-m.posts:
			f()
		case <-limit.C:
			return
		}
	}
}

// watchLeader ends this TaskManager when no leader has been heard for too long (F3).
func (m *manager) watchLeader() {
	silent := time.Since(m.heard)
	if silent > m.leaderless {
		m.end(fmt.Errorf("no JobManager has been heard for %s", m.leaderless))
		return
	}
	if s := m.session; s != nil && m.timeout > 0 && silent > m.timeout {
		s.drop(fmt.Errorf("nothing heard for %s", m.timeout))
	}
}

// stopAll ends all workers and waits for them.
func (m *manager) stopAll() {
	for _, w := range m.workers {
		m.stopWorker(w, "the TaskManager ends")
	}
	m.endPlans("the TaskManager ends")
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	for len(m.workers)+len(m.plans) > 0 {
		select {
		case f := <-m.posts:
			f()
		case <-limit.C:
			m.o.Log.Warn("workers are still there", "count", len(m.workers), "plans", len(m.plans))
			return
		}
	}
}
