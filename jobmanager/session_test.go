package jobmanager_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/security"
)

// A registered TaskManager is told the times it must keep.
func TestRegistered(t *testing.T) {
	c := start(t, 1, map[string]string{"heartbeat.interval": "2 s", "heartbeat.timeout": "20 s", "high-availability.leaderless-timeout": "1 min"})
	r := c.register(registration("a", 1)).next().GetRegistered()
	if r.GetHeartbeatIntervalMs() != 2000 || r.GetHeartbeatTimeoutMs() != 20000 || r.GetLeaderlessTimeoutMs() != 60000 {
		t.Errorf("Registered: %v", r)
	}
}

// Who is not taken, and what it is told.
func TestRefusedRegistrations(t *testing.T) {
	c := start(t, 1, nil)
	for name, change := range map[string]func(r *controlpb.Register){
		"TaskManager a has seen epoch 8, this JobManager has 7":                     func(r *controlpb.Register) { r.HighestEpoch = epoch + 1 }, // F1
		"TaskManager a speaks control protocol 9.0, this JobManager 1.0":            func(r *controlpb.Register) { r.ProtocolMajor = 9 },
		`TaskManager "" with 1 slots: expected an id and 1 to 4096 slots`:           func(r *controlpb.Register) { r.TaskmanagerId = "" },
		`TaskManager "a" with -1 slots: expected an id and 1 to 4096 slots`:         func(r *controlpb.Register) { r.Slots = -1 },
		`TaskManager "a" with 1000000000 slots: expected an id and 1 to 4096 slots`: func(r *controlpb.Register) { r.Slots = 1e9 },
	} {
		r := registration("a", 1)
		change(r)
		tm := c.register(r)
		if got := tm.next().GetRefused(); got != name {
			t.Errorf("refused: %q, expected %q", got, name)
		}
		if err := tm.end(); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), name) {
			t.Errorf("end of the session: %v", err)
		}
	}
	stream, err := c.dial(c.secret.Derive(security.LabelControl)).Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Heartbeat{Heartbeat: &controlpb.Heartbeat{}}}); err != nil {
		t.Fatal(err)
	}
	m, err := stream.Recv()
	if err != nil || m.GetRefused() != "the first message of a TaskManager must be its registration" {
		t.Errorf("a heartbeat first: %v, %v", m, err)
	}
	slots(t, c, 0, 0)
	equal := registration("a", 1)
	equal.HighestEpoch = epoch
	if c.register(equal).next().GetRegistered() == nil {
		t.Error("a TaskManager that has seen our epoch is refused")
	}
}

// A TaskManager that has met a later leader ends this one, and is not told to end: it is the other's.
func TestEpochRefused(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	tm.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_EpochRefused{EpochRefused: &controlpb.EpochRefused{Seen: 9}}})
	err := c.result()
	if err == nil || err.Error() != "TaskManager a has seen epoch 9, higher than 7: another JobManager leads" {
		t.Errorf("Run: %v", err)
	}
	for m := range tm.in {
		t.Errorf("a message after the refusal: %v", m)
	}
}

// The platform can not go on.
func TestFatal(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	fatal := errors.New("the ResourceManager has thrown us out")
	c.say().Fatal(fatal)
	tm.shutdown()
	tm.cut()
	if err := c.result(); !errors.Is(err, fatal) {
		t.Errorf("Run: %v", err)
	}
}

// The connection ends while tasks run; what the platform says later takes the place of what was known.
func TestConnectionLost(t *testing.T) {
	c := start(t, 1, nil)
	a := c.tm("a", 1)
	job := c.run(1)
	up(a)
	a.cut()
	w := c.await(job, planpb.JobStatus_RESTARTING)
	contains(t, strings.Join(story(w), "\n"), "RESTARTING: TaskManager a was lost: the connection to the TaskManager ended: ")
	await.Until(t, "the job waits", func() bool {
		s := story(c.now(job))
		return s[len(s)-1] == waitsForCertainty
	})
	c.requires(1)
	c.say().TaskManagerLost("a", "killed by YARN: too much memory")
	await.Until(t, "the platform's reason is told", func() bool {
		s := story(c.now(job))
		return s[len(s)-1] == "note: TaskManager a was lost: killed by YARN: too much memory"
	})
	e, err := c.backend.Exceptions(t.Context(), job)
	if err != nil || len(e.History.Entries) != 1 || *e.Root != "TaskManager a was lost: killed by YARN: too much memory" {
		t.Errorf("exceptions: %+v, %v", e, err)
	}
	workers, tasks := up(c.tm("b", 1))
	if workers[0].GetJobAttempt() != 1 || tasks[0][0].GetAttempt() != 1 {
		t.Errorf("after the restart: %v", tasks)
	}
}

// The platform says first that a container has ended.
func TestPlatformSaysFirst(t *testing.T) {
	c := start(t, 1, map[string]string{"restart-strategy.type": "none"})
	a, b := c.tm("a", 1), c.tm("b", 1)
	job := c.run(2)
	workers, _ := up(a, b)
	c.say().TaskManagerLost("a", "the node was lost")
	if err := a.end(); !errors.Is(err, io.EOF) {
		t.Errorf("end of the session: %v", err)
	}
	b.stopped(workers[1])
	f := c.await(job, planpb.JobStatus_FAILED).GetResult().GetFailure()
	if f.GetMessage() != "TaskManager a was lost: the node was lost" || f.GetTaskmanagerId() != "a" || f.GetHost() != "host-a" ||
		f.GetDomain() != planpb.FailureDomain_EXTERNAL {
		t.Errorf("failure: %v", f)
	}
	c.say().TaskManagerLost("a", "said twice")
	b.beat(&controlpb.Heartbeat{})
	slots(t, c, 1, 1)
}

// A TaskManager whose connection broke comes back: what it still runs is stopped before its slots are used again.
func TestRegistersAgain(t *testing.T) {
	c := start(t, 1, nil)
	a := c.tm("a", 1)
	job := c.run(1)
	_, tasks := up(a)
	r := registration("a", 1)
	r.Workers = []*controlpb.WorkerState{{JobId: job.String(), Phase: controlpb.WorkerPhase_WORKER_READY}}
	again := c.register(r)
	if again.next().GetRegistered() == nil {
		t.Fatal("not registered")
	}
	if err := a.end(); !errors.Is(err, io.EOF) {
		t.Errorf("end of the first session: %v", err)
	}
	if stop := again.stopWorker(); stop.GetJobId() != job.String() {
		t.Errorf("StopWorker: %v", stop)
	}
	again.worker(job.String(), 0, controlpb.WorkerPhase_WORKER_EXITED, nil)
	again.failed(1, user("of the first attempt"), tasks[0]...)
	again.acknowledged(1)
	workers, _ := up(again)
	if workers[0].GetJobAttempt() != 1 {
		t.Errorf("attempt %d", workers[0].GetJobAttempt())
	}
	contains(t, strings.Join(story(c.now(job)), "\n"), "RESTARTING: TaskManager a was lost: it registered again")
	slots(t, c, 1, 0)
}

// Silence counts as loss; a TaskManager that does not come back is given back, so that another one can be had.
func TestHeartbeatTimeout(t *testing.T) {
	c := start(t, 1, map[string]string{"heartbeat.timeout": "1500 ms", "restart-strategy.type": "none"})
	a, b := c.tm("a", 1), c.tm("b", 1)
	job := c.run(1)
	a.startWorker()
	await.Until(t, "the job has failed", func() bool {
		b.beat(&controlpb.Heartbeat{})
		return c.now(job).GetEnded()
	})
	if f := c.now(job).GetResult().GetFailure(); f.GetMessage() != "TaskManager a was lost: no heartbeat for 1.5s" {
		t.Errorf("failure: %v", f)
	}
	if err := a.end(); !errors.Is(err, io.EOF) {
		t.Errorf("end of the session: %v", err)
	}
	slots(t, c, 1, 1)
	c.releases("a")
}

// A TaskManager that was launched and does not register is given back; one is still wanted, so the driver asks for another.
func TestNeverRegisters(t *testing.T) {
	c := start(t, 1, map[string]string{"resourcemanager.taskmanager-registration.timeout": "1 ms"})
	job := c.run(1)
	c.say().TaskManagerStarted("a", "host-a")
	c.releases("a")
	c.requires(1)
	c.say().TaskManagerLost("a", "released")
	c.requires(1)
	up(c.tm("b", 1))
	c.await(job, planpb.JobStatus_RUNNING)
}

// A TaskManager that sends but takes nothing is lost when too much waits for it, although it holds the sender.
func TestTakesNothing(t *testing.T) {
	c := start(t, 1, map[string]string{"restart-strategy.type": "none"})
	r := submission(graph(1))
	r.Args = []string{strings.Repeat("x", 1<<20)}
	job := c.submit(r)
	tm := c.open(registration("a", 1))
	await.Until(t, "the session has ended", func() bool {
		for range 100 {
			if tm.stream.Send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Heartbeat{Heartbeat: &controlpb.Heartbeat{}}}) != nil {
				return true
			}
		}
		return c.now(job).GetEnded()
	})
	f := c.await(job, planpb.JobStatus_FAILED).GetResult().GetFailure()
	contains(t, f.GetMessage(), "1028 messages wait for it and it takes none")
}

// A stranger without the secret gets nowhere.
func TestStranger(t *testing.T) {
	c := start(t, 1, nil)
	for name, secret := range map[string]security.Secret{"another secret": security.NewSecret(), "the underived secret": c.secret,
		"the secret of a job": c.secret.Derive(security.LabelJob, id.NewJob().String())} {
		stream, err := c.dial(secret).Session(t.Context())
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.Unavailable {
			t.Errorf("with %s: %v", name, err)
		}
	}
	slots(t, c, 0, 0)
	c.tm("a", 1)
}

// A crowd of silent connections keeps nobody out, and there is room for every TaskManager that is expected.
func TestCrowd(t *testing.T) {
	c := start(t, 1, nil)
	crowd := func(n int) []net.Conn {
		var out []net.Conn
		for range n {
			conn, err := net.Dial("tcp", c.address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			out = append(out, conn)
		}
		return out
	}
	c.run(20)
	c.requires(20)
	first := crowd(80)
	c.tm("a", 1)
	if err := first[0].SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := first[0].Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the oldest of 80 connections, with 20 TaskManagers expected: %v", err)
	}
	crowd(20)
	if err := first[0].SetReadDeadline(time.Now().Add(security.HandshakeTimeout / 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := first[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the oldest of 100 connections: %v", err)
	}
	c.tm("b", 1)
}
