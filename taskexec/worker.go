package taskexec

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/internal/socketpair"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/wire"
)

// drainLimit bounds reading what a worker said before its end.
const drainLimit = 2 * time.Second

// fetchPatience is how many times as long as for main's start is waited for its files to be here.
const fetchPatience = 10

// worker is one process of a job on this TaskManager. The loop owns it, except where a field says otherwise.
type worker struct {
	m     *manager
	start *controlpb.StartWorker
	// next is the worker to start when this one is gone.
	next  *controlpb.StartWorker
	phase controlpb.WorkerPhase
	began time.Time
	// address is the worker's data plane.
	address string
	metrics []*controlpb.TaskMetrics
	figures *controlpb.ProcessMetrics
	// rss is the resident memory of the process and of its descendants, children the latter's part, looked at more rarely.
	rss, children int64
	// dumps are those who wait for the stacks of its goroutines, by the number of the question; dump is the last number.
	dumps map[uint64]chan []byte
	dump  uint64
	// stopping: the end is wanted, its cause is not a failure.
	stopping   bool
	stopReason string
	// failure is why the process was given up, when it was.
	failure *planpb.Failure
	limit   *time.Timer

	// gone is closed when the process has ended.
	gone chan struct{}
	// abort ends the preparation before there is a process.
	abort context.CancelCauseFunc

	mu      sync.Mutex // guards what follows
	process *os.Process
	conn    net.Conn
	killed  error
	out     []*controlpb.ToWorker
	wake    chan struct{}
	logPath string
	dir     string
}

// state describes the worker for the JobManager.
func (w *worker) state() *controlpb.WorkerState {
	return &controlpb.WorkerState{JobId: w.start.GetJobId(), JobAttempt: w.start.GetJobAttempt(), Phase: w.phase, DataAddress: w.address, Pid: int32(w.pid())}
}

func (w *worker) pid() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.process == nil {
		return 0
	}
	return w.process.Pid
}

// launch prepares and runs the process in a goroutine of its own and posts its end.
func (w *worker) launch() {
	ctx, abort := context.WithCancelCause(context.Background())
	w.abort = abort
	w.wake = make(chan struct{}, 1)
	w.limit = time.AfterFunc(fetchPatience*w.m.o.WorkerStartTimeout, func() { w.m.post(w.tooLate) })
	mark := w.mark() // the loop may change what it is made of
	go func() {
		err := w.run(ctx)
		if n := endLeftBehind(mark); n > 0 {
			w.m.o.Log.Warn("ended processes that a worker has left behind", "worker", mark, "count", n)
		}
		close(w.gone)
		w.m.post(func() { w.m.exited(w, err) })
	}()
}

// run is the process from the fetched binary to its end.
func (w *worker) run(ctx context.Context) error {
	binary, err := w.m.fetch(ctx, w.start.GetBinary(), true)
	if err != nil {
		return &prepareError{err}
	}
	cmd, ours, err := w.command(ctx, binary)
	if err != nil {
		return &prepareError{err}
	}
	w.mu.Lock()
	if w.killed != nil {
		w.mu.Unlock()
		return errors.Join(w.killed, ours.Close())
	}
	err = w.m.spawner.start(cmd)
	if err == nil {
		w.process, w.conn = cmd.Process, ours
	}
	w.mu.Unlock()
	// What bringing the binary here took is not main's.
	w.limit.Reset(w.m.o.WorkerStartTimeout)
	closeFiles(cmd)
	if err != nil {
		return &prepareError{errors.Join(startError(w.start.GetBinary().GetName(), err), ours.Close())}
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		w.write(ours)
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		w.read(ours)
	}()
	err = cmd.Wait()
	// What the process has said before its end is still in the socket; a child of its own may hold the other end open.
	_ = ours.SetReadDeadline(time.Now().Add(drainLimit))
	<-read
	w.mu.Lock()
	w.conn = nil
	w.mu.Unlock()
	w.poke()
	<-sent
	return errors.Join(err, ours.Close())
}

// closeFiles closes our copies of what the child inherited.
func closeFiles(cmd *exec.Cmd) {
	for _, f := range cmd.ExtraFiles {
		_ = f.Close()
	}
	if f, ok := cmd.Stdout.(*os.File); ok {
		_ = f.Close()
	}
}

// command makes the process's command and the socket to it.
func (w *worker) command(ctx context.Context, binary string) (*exec.Cmd, net.Conn, error) {
	name := fmt.Sprintf("%.8s-%d", w.start.GetJobId(), w.start.GetJobAttempt())
	dir := filepath.Join(w.m.o.WorkDir, "jobs", name)
	w.mu.Lock()
	w.dir, w.logPath = dir, filepath.Join(w.m.o.LogDir, "worker-"+name+".log")
	w.mu.Unlock()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("working directory: %w", err)
	}
	for _, f := range w.start.GetFiles() {
		path, err := w.m.fetch(ctx, f, false)
		if err == nil {
			err = link(path, dir, f.GetName())
		}
		if err != nil {
			return nil, nil, fmt.Errorf("file %s of the job: %w", f.GetName(), err)
		}
	}
	if err := w.m.linkShipped(dir); err != nil {
		return nil, nil, err
	}
	log, err := os.OpenFile(w.logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return nil, nil, fmt.Errorf("worker log: %w", err)
	}
	ours, theirs, err := socketpair.New()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("socket to the worker: %w", err), log.Close())
	}
	cmd := exec.Command(binary, w.start.GetArgs()...)
	cmd.Args[0] = w.start.GetBinary().GetName()
	cmd.Dir = dir
	cmd.Env = w.environment(dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs}
	return cmd, ours, nil
}

// linkShipped puts the session's files into a working directory (W2); what a job has brought itself comes first.
func (m *manager) linkShipped(dir string) error {
	for name, path := range m.o.Shipped {
		if err := link(path, dir, name); err != nil {
			return fmt.Errorf("shipped file %s: %w", name, err)
		}
	}
	return nil
}

// link makes name, which may lie in directories of its own below dir, a symbolic link; one that is there is kept.
func link(path, dir, name string) error {
	if name = filepath.FromSlash(name); !filepath.IsLocal(name) {
		return fmt.Errorf("%q is not a name below the working directory", name)
	}
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	if err := os.Symlink(path, name); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// environment is the plan's, with what a process needs and its role (W2).
func (w *worker) environment(dir string) []string {
	return append(w.m.environment(w.start.GetEnvironment(), dir, int(w.start.GetSlots())),
		role.EnvRole+"="+string(role.Worker), role.EnvFD+"=3", w.mark())
}

// environment is what a process of a job gets that holds slots: given, what it needs here, and its share. What this TaskManager's
// environment holds besides is not passed on.
func (m *manager) environment(given map[string]string, dir string, slots int) []string {
	env := map[string]string{}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "LANG", "USER", "SSL_CERT_FILE", "SSL_CERT_DIR", "LOCAL_DIRS"} {
		if v, ok := os.LookupEnv(name); ok {
			env[name] = v
		}
	}
	for k, v := range given {
		env[k] = v
	}
	env["PWD"] = dir
	for _, own := range []string{role.EnvRole, role.EnvFD, role.EnvConfig, markName} {
		delete(env, own)
	}
	out := make([]string, 0, len(env))
	for k, v := range env {
		out = append(out, k+"="+v)
	}
	// Before main runs nobody has told the runtime its share yet.
	share := m.limits(slots)
	return append(out, "GOMEMLIMIT="+strconv.FormatInt(share.GetMemory(), 10), "GOMAXPROCS="+strconv.Itoa(int(share.GetProcessors())))
}

// markName is the variable by which the processes that a worker starts are known.
const markName = "WEFT_WORKER"

// mark is in the environment of the worker and of what it starts.
func (w *worker) mark() string {
	return fmt.Sprintf("%s=%s/%d/%s/%d", markName, w.m.o.ID, os.Getpid(), w.start.GetJobId(), w.start.GetJobAttempt())
}

// read passes the worker's messages to the loop until the socket ends.
func (w *worker) read(conn net.Conn) {
	r := bufio.NewReader(conn)
	for {
		msg := &controlpb.FromWorker{}
		if err := wire.Read(r, msg); err != nil {
			return
		}
		w.m.post(func() { w.m.fromWorker(w, msg) })
	}
}

// send queues a message for the worker. The queue has no bound of its own: it holds at most a job's deployment.
func (w *worker) send(msg *controlpb.ToWorker) {
	w.mu.Lock()
	w.out = append(w.out, msg)
	w.mu.Unlock()
	w.poke()
}

func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// write sends what is queued until the process is gone.
func (w *worker) write(conn net.Conn) {
	for range w.wake {
		for {
			w.mu.Lock()
			gone, queue := w.conn == nil, w.out
			w.out = nil
			w.mu.Unlock()
			if gone {
				return
			}
			if len(queue) == 0 {
				break
			}
			for _, msg := range queue {
				if err := wire.Write(conn, msg); err != nil {
					// Most often the process has ended. If it has not (a message too large), it must.
					w.kill(fmt.Errorf("message to the worker: %w", err))
					break
				}
			}
		}
	}
}

// kill ends the process, or what prepares it.
func (w *worker) kill(cause error) {
	w.abort(cause)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.killed == nil {
		w.killed = cause
	}
	if w.process != nil {
		// It may have ended by itself.
		_ = w.process.Kill()
	}
}

// cause is why this TaskManager has killed the process; nil when it has not.
func (w *worker) cause() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.killed
}

// giveUp ends a worker that can not go on, for a reason that is reported when it is gone.
func (w *worker) giveUp(f *planpb.Failure) {
	if w.failure == nil {
		w.failure = f
	}
	w.kill(errors.New(f.GetMessage()))
}

// ready: the graph is verified and the data address known.
func (w *worker) ready(address string) {
	w.phase, w.address = controlpb.WorkerPhase_WORKER_READY, address
	w.limit.Stop()
}

// tooLate gives up a main that does not come to Execute (W5).
func (w *worker) tooLate() {
	if w.phase != controlpb.WorkerPhase_WORKER_STARTING || w.stopping || w.failure != nil || w.m.workers[w.start.GetJobId()] != w {
		return
	}
	if w.pid() == 0 {
		w.giveUp(w.m.failure(planpb.FailureDomain_EXTERNAL, fmt.Sprintf("the job's files could not be brought to TaskManager %s within %s",
			w.m.o.ID, fetchPatience*w.m.o.WorkerStartTimeout)))
		return
	}
	f := w.m.failure(planpb.FailureDomain_USER, fmt.Sprintf("main of the job did not come to Execute within %s on TaskManager %s",
		w.m.o.WorkerStartTimeout, w.m.o.ID))
	f.Stack = w.outputTail()
	w.giveUp(f)
}

// close removes what belonged to the process.
func (w *worker) close() {
	w.limit.Stop()
	w.abort(nil)
	if err := os.RemoveAll(w.dir); err != nil {
		w.m.o.Log.Warn("remove the worker's directory", "error", err)
	}
}

// workerStart is the first message to a worker.
func (m *manager) workerStart(w *worker) *controlpb.WorkerStart {
	s := w.start
	return &controlpb.WorkerStart{JobId: s.GetJobId(), JobAttempt: s.GetJobAttempt(), Graph: s.GetGraph(), PreviousResults: s.GetPreviousResults(),
		JobSecret: s.GetJobSecret(), TaskmanagerId: m.o.ID, Host: m.o.Host, DataListen: net.JoinHostPort(m.o.Host, "0"), Config: s.GetConfig(),
		WorkDir: w.dir, JobCall: s.GetGraph().GetExecuteCall(), Share: m.limits(int(s.GetSlots())),
		HadoopConfFile: m.o.HadoopConfFile, HadoopTokenFile: m.o.TokenFile, User: m.o.User}
}
