package taskexec

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
	"github.com/weft-project/weft/rpc/wire"
)

// TestMain makes this binary a job too: started as a worker, or to make a plan, it plays the part that its first argument names.
func TestMain(m *testing.M) {
	switch os.Getenv(role.EnvRole) {
	case string(role.Worker):
		os.Exit(playWorker(os.Args[1]))
	case string(role.Plan):
		os.Exit(playPlan(os.Args[1]))
	}
	os.Exit(m.Run())
}

// playWorker speaks the worker's side of the protocol.
func playWorker(part string) int {
	switch part {
	case "eater":
		eat()
		return 0
	case "exit":
		fmt.Println("cannot go on: no licence")
		return 3
	case "hang":
		fmt.Println("waiting for a lock that nobody gives back")
		<-time.After(time.Hour)
	}
	f := os.NewFile(3, "taskmanager")
	conn, err := net.FileConn(f)
	if err != nil {
		return 9
	}
	send := func(m *controlpb.FromWorker) {
		if err := wire.Write(conn, m); err != nil {
			os.Exit(0)
		}
	}
	hello := &controlpb.WorkerHello{ProtocolMajor: version.Major, SdkVersion: version.SDK, Pid: int32(os.Getpid())}
	if part == "old" {
		hello.ProtocolMajor, hello.SdkVersion = 99, "99.0.0"
	}
	send(&controlpb.FromWorker{Kind: &controlpb.FromWorker_Hello{Hello: hello}})
	r := bufio.NewReader(conn)
	for {
		msg := &controlpb.ToWorker{}
		if err := wire.Read(r, msg); err != nil {
			return 0
		}
		switch k := msg.GetKind().(type) {
		case *controlpb.ToWorker_Start:
			send(started(part, k.Start))
		case *controlpb.ToWorker_Stacks:
			send(&controlpb.FromWorker{Kind: &controlpb.FromWorker_Stacks{Stacks: &controlpb.Stacks{Id: k.Stacks, Text: []byte("goroutine 1 [running]:\nmain.main()")}}})
		case *controlpb.ToWorker_Deploy:
			if code := deployed(part, k.Deploy, send); code >= 0 {
				return code
			}
		}
	}
}

func started(part string, s *controlpb.WorkerStart) *controlpb.FromWorker {
	state := &controlpb.WorkerState{JobId: s.GetJobId(), JobAttempt: s.GetJobAttempt(), Phase: controlpb.WorkerPhase_WORKER_READY, DataAddress: s.GetDataListen()}
	if part == "refuse" {
		state.Phase = controlpb.WorkerPhase_WORKER_EXITED
		state.Failure = &planpb.Failure{Domain: planpb.FailureDomain_USER, Message: "main built another graph here"}
	}
	if part == "fork" {
		// A daemon as authors start one: in a session of its own.
		child := exec.Command("sleep", "300")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			fmt.Println(err)
			os.Exit(8)
		}
		state.DataAddress = fmt.Sprint(child.Process.Pid)
	}
	if part == "environment" {
		dir, _ := os.Getwd()
		entries, _ := filepath.Glob("*/*")
		state.DataAddress = fmt.Sprint(os.Environ(), " dir=", dir, " ", entries, " share=", s.GetShare().GetMemory())
	}
	return &controlpb.FromWorker{Kind: &controlpb.FromWorker_State{State: state}}
}

// deployed plays what happens once tasks are there; a code of 0 or more ends the process.
func deployed(part string, d *controlpb.Deploy, send func(*controlpb.FromWorker)) int {
	switch part {
	case "exit-late":
		fmt.Println("fatal error: concurrent map writes")
		return 2
	case "eat":
		eat()
	case "child":
		// What eats is a process that the worker has started.
		self, err := os.Executable()
		if err != nil {
			return 6
		}
		cmd := exec.Command(self, "eater")
		cmd.Env = []string{role.EnvRole + "=" + string(role.Worker)}
		if err := cmd.Run(); err != nil {
			return 7
		}
	}
	states := &controlpb.TaskStates{Sequence: 1}
	for _, t := range d.GetTasks() {
		states.Tasks = append(states.Tasks, &controlpb.TaskState{Id: t.GetId(), JobAttempt: d.GetJobAttempt(), State: controlpb.ExecutionState_STATE_FINISHED,
			Metrics: &controlpb.TaskMetrics{RecordsIn: 7}})
	}
	send(&controlpb.FromWorker{Kind: &controlpb.FromWorker_Tasks{Tasks: states}})
	return -1
}

// eat takes memory until somebody ends it, quickly but not faster than one can look.
func eat() {
	var kept [][]byte
	for range 4096 {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		kept = append(kept, b)
		<-time.After(time.Millisecond)
	}
	fmt.Println(len(kept))
}
