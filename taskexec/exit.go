package taskexec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
)

// tailSize is how much of a worker's output is shown with its failure, in bytes.
const tailSize = 4096

// prepareError is what went wrong before there was a process.
type prepareError struct{ err error }

// Error is the cause's.
func (p *prepareError) Error() string { return p.err.Error() }

// Unwrap gives the cause.
func (p *prepareError) Unwrap() error { return p.err }

// startError explains why a binary does not start.
func startError(name string, err error) error {
	if errors.Is(err, syscall.ENOEXEC) {
		return fmt.Errorf("%w: %s is not a program for this machine; build it for the cluster's platform (weft.cluster.platform)", errUser, name)
	}
	return fmt.Errorf("start %s: %w", name, err)
}

// errUser marks what the job's author or submitter has to mend.
var errUser = errors.New("the job can not be started")

// helloRefusal says why a worker's SDK can not be served; empty when it can.
func helloRefusal(h *controlpb.WorkerHello) string {
	if h.GetProtocolMajor() == version.Major {
		return ""
	}
	return fmt.Sprintf("the job was built with SDK %s (worker protocol %d.%d), this cluster speaks %d.%d: build the job with the SDK of the cluster's release",
		h.GetSdkVersion(), h.GetProtocolMajor(), h.GetProtocolMinor(), version.Major, version.Minor)
}

// explain says why a worker ended; nil when its end was wanted.
func (m *manager) explain(w *worker, err error) *planpb.Failure {
	switch {
	case w.stopping:
		return nil
	case w.failure != nil:
		return w.failure
	}
	var prepare *prepareError
	if errors.As(err, &prepare) {
		if errors.Is(err, errUser) {
			return m.failure(planpb.FailureDomain_USER, err.Error())
		}
		return m.failure(planpb.FailureDomain_EXTERNAL, fmt.Sprintf("the worker on TaskManager %s could not be started: %v", m.o.ID, err))
	}
	ready := w.phase == controlpb.WorkerPhase_WORKER_READY
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			if cause := w.cause(); cause != nil {
				return m.failure(planpb.FailureDomain_EXTERNAL, fmt.Sprintf("the worker process of the job on TaskManager %s was ended: %v", m.o.ID, cause))
			}
			return m.failure(planpb.FailureDomain_EXTERNAL, fmt.Sprintf("the worker process of the job on TaskManager %s was killed by signal %d (%s)",
				m.o.ID, int(status.Signal()), status.Signal()))
		}
	} else if err != nil {
		return m.failure(planpb.FailureDomain_EXTERNAL, fmt.Sprintf("the worker process of the job on TaskManager %s: %v", m.o.ID, err))
	}
	code := 0
	if exit != nil {
		code = exit.ExitCode()
	}
	when := "before it came to Execute"
	if ready {
		when = "while its tasks ran"
	}
	f := m.failure(planpb.FailureDomain_USER, fmt.Sprintf("the job's process on TaskManager %s ended itself with exit code %d %s", m.o.ID, code, when))
	f.Stack = w.outputTail()
	return f
}

// outputTail is the end of what the worker has printed.
func (w *worker) outputTail() string {
	w.mu.Lock()
	path := w.logPath
	w.mu.Unlock()
	b, err := tail(path, tailSize)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.m.o.Log.Warn("read the worker's output", "error", err)
	}
	return b
}

// tail gives the last lines of a file, at most limit bytes.
func tail(path string, limit int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	from := max(0, size-limit)
	b := make([]byte, size-from)
	n, err := f.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	b = b[:n]
	if from > 0 {
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return strings.TrimRight(strings.ToValidUTF8(string(b), "?"), "\n"), nil
}
