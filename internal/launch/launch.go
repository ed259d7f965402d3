package launch

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
	"github.com/weft-project/weft/taskexec/worker"
)

func init() {
	r, fd, err := role.Current()
	if err != nil {
		fmt.Fprintln(os.Stderr, "weft:", err)
		os.Exit(2)
	}
	switch r {
	case role.Plan:
		role.SetLauncher(newPlan(fd))
	case role.Worker:
		link, err := worker.NewLink(fd, worker.Versions{Major: version.Major, Minor: version.Minor, SDK: version.SDK}, os.Exit)
		if err != nil {
			fmt.Fprintln(os.Stderr, "weft worker:", err)
			os.Exit(2)
		}
		role.SetLauncher(&workerRole{link: link})
	default:
		role.SetLauncher(&localRole{})
	}
}

// recorder keeps what Captured and Once did, in order.
type recorder struct {
	mu       sync.Mutex
	captured []*planpb.Captured
	once     []string
	calls    int
}

// Recorded is Launcher's.
func (r *recorder) Recorded() ([]*planpb.Captured, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*planpb.Captured(nil), r.captured...), append([]string(nil), r.once...)
}

// Captured is Launcher's, for roles that take the value.
func (r *recorder) Captured(name string, take func() ([]byte, error)) ([]byte, error) {
	b, err := take()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.captured = append(r.captured, &planpb.Captured{Name: name, Value: b})
	return b, nil
}

// Once is Launcher's, for roles that do it.
func (r *recorder) Once(name string, do func() error) error {
	if err := do(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.once = append(r.once, name)
	return nil
}

func (r *recorder) next() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	return r.calls - 1
}

// workerRole serves one Execute call of main.
type workerRole struct {
	recorder
	link *worker.Link
}

// Begin is Launcher's. The configuration is that of the deployed graph, so that the same graph comes out.
func (w *workerRole) Begin(context.Context) (int, map[string]string, error) {
	return w.next(), w.link.Start().GetGraph().GetConfig(), nil
}

// Reject is Launcher's.
func (w *workerRole) Reject(err error) { w.refuse(err.Error()) }

// Captured is Launcher's: the value is the one taken in the plan.
func (w *workerRole) Captured(name string, _ func() ([]byte, error)) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	have := w.link.Start().GetGraph().GetCaptured()
	n := len(w.captured)
	if n >= len(have) || have[n].GetName() != name {
		return nil, fmt.Errorf("was not captured when the job was submitted; calls must come in the same order each time main runs")
	}
	w.captured = append(w.captured, have[n])
	return have[n].GetValue(), nil
}

// Once is Launcher's: it was done in the plan.
func (w *workerRole) Once(name string, _ func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.once = append(w.once, name)
	return nil
}

// Launch is Launcher's: earlier calls give their recorded results, the deployed one does not return (W1).
func (w *workerRole) Launch(_ context.Context, p *operator.Program) (*planpb.JobResult, error) {
	start := w.link.Start()
	call := int(p.Graph.GetExecuteCall())
	if call < int(start.GetGraph().GetExecuteCall()) {
		if call >= len(start.GetPreviousResults()) {
			w.refuse(fmt.Sprintf("the result of Execute call %d was not recorded", call))
		}
		return start.GetPreviousResults()[call], nil
	}
	files, err := workerFiles(start, w.link)
	if err == nil {
		err = w.link.Serve(p, files, workerLog())
	}
	if err != nil {
		w.refuse(err.Error())
	}
	select {} // unreachable in practice: Serve returns with an error only
}

// refuse tells why this worker can not serve and waits for its end.
func (w *workerRole) refuse(message string) {
	if err := w.link.Refuse(message); err != nil {
		fmt.Fprintln(os.Stderr, "weft worker:", message)
		os.Exit(3)
	}
	select {}
}
