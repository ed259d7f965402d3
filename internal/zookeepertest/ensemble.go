package zookeepertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
)

const (
	// patience bounds what takes a second or two on an idle machine.
	patience = 3 * time.Minute
	// tick is ZooKeeper's unit of time: sessions are between two and, here, many of them.
	tick = 500 * time.Millisecond
)

// Ports are taken from below those that devcluster and outgoing connections use.
const firstPort, lastPort = 10000, 19900

// Ensemble is a running ZooKeeper.
type Ensemble struct {
	Servers []*Server
}

// Server is one of its servers. It is used by one goroutine at a time.
type Server struct {
	Address string

	dir, java, lib string
	cmd            *exec.Cmd
	done           chan struct{}
}

// Start runs an ensemble of n servers until the test ends. All of them serve when it returns.
func Start(t testing.TB, n int) *Ensemble {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	java, lib, err := devcluster.Programs(ctx, t.Output())
	if err != nil {
		t.Fatalf("this test needs a real ZooKeeper: %v", err)
	}
	for try := 0; ; try++ {
		e, err := start(ctx, filepath.Join(t.TempDir(), fmt.Sprint(try)), java, lib, n)
		if err == nil {
			t.Cleanup(e.stop)
			return e
		}
		// Somebody may have taken a port between our look at it and the server's start.
		if e.stop(); try == 3 || ctx.Err() != nil {
			t.Fatalf("ZooKeeper: %v", err)
		}
	}
}

func start(ctx context.Context, dir, java, lib string, n int) (*Ensemble, error) {
	e := &Ensemble{}
	ports, err := freePorts(3 * n)
	if err != nil {
		return e, err
	}
	var members strings.Builder
	if n > 1 {
		for i := range n {
			fmt.Fprintf(&members, "server.%d=127.0.0.1:%d:%d\n", i+1, ports[n+2*i], ports[n+2*i+1])
		}
	}
	for i := range n {
		s := &Server{Address: fmt.Sprintf("127.0.0.1:%d", ports[i]), dir: filepath.Join(dir, fmt.Sprint("server-", i+1)), java: java, lib: lib}
		if err := s.layOut(i+1, ports[i], members.String()); err != nil {
			return e, err
		}
		if err := s.spawn(); err != nil {
			return e, err
		}
		e.Servers = append(e.Servers, s)
	}
	return e, e.Wait(ctx)
}

// freePorts finds ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		p := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			continue
		}
		// It stays taken until all are found, so that none is found twice.
		defer l.Close()
		if ports = append(ports, p); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports on 127.0.0.1 between %d and %d", n, firstPort, lastPort)
}

// Quorum is host:port,host:port,… of all servers.
func (e *Ensemble) Quorum() string {
	var all []string
	for _, s := range e.Servers {
		all = append(all, s.Address)
	}
	return strings.Join(all, ",")
}

// Wait waits until all servers that run serve.
func (e *Ensemble) Wait(ctx context.Context) error {
	for _, s := range e.Servers {
		if s.cmd == nil {
			continue
		}
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Leader is the number of the server that leads the ensemble, waited for.
func (e *Ensemble) Leader(ctx context.Context) (int, error) {
	for {
		for i, s := range e.Servers {
			if strings.Contains(s.ask("srvr"), "Mode: leader") {
				return i, nil
			}
		}
		if err := pause(ctx); err != nil {
			return 0, fmt.Errorf("no server leads: %w", err)
		}
	}
}

func (e *Ensemble) stop() {
	for _, s := range e.Servers {
		s.Kill()
	}
}

// layOut writes a server's configuration.
func (s *Server) layOut(id, port int, members string) error {
	if err := os.MkdirAll(filepath.Join(s.dir, "data"), 0o755); err != nil {
		return err
	}
	conf := fmt.Sprintf(`dataDir=%s
clientPort=%d
clientPortAddress=127.0.0.1
tickTime=%d
initLimit=60
syncLimit=6
maxSessionTimeout=600000
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=srvr
forceSync=no
%s`, filepath.Join(s.dir, "data"), port, tick.Milliseconds(), members)
	log := "log4j.rootLogger=WARN,out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n" +
		"log4j.appender.out.layout=org.apache.log4j.PatternLayout\nlog4j.appender.out.layout.ConversionPattern=%d %p %c - %m%n\n"
	return errors.Join(
		os.WriteFile(filepath.Join(s.dir, "zoo.cfg"), []byte(conf), 0o644),
		os.WriteFile(filepath.Join(s.dir, "log4j.properties"), []byte(log), 0o644),
		os.WriteFile(filepath.Join(s.dir, "data", "myid"), fmt.Appendln(nil, id), 0o644))
}

// logFile has what the server prints.
func (s *Server) logFile() string { return filepath.Join(s.dir, "server.log") }

// spawn starts the server's process.
func (s *Server) spawn() error {
	out, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(s.java, "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true",
		"-Djava.io.tmpdir="+s.dir, "-cp", s.dir+":"+filepath.Join(s.lib, "*"), "org.apache.zookeeper.server.quorum.QuorumPeerMain",
		filepath.Join(s.dir, "zoo.cfg"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, done := make(chan error, 1), make(chan struct{})
	go func() {
		// The kernel's signal comes when the thread ends that has started the process: it stays for as long as the process does.
		runtime.LockOSThread()
		defer close(done)
		err := cmd.Start()
		if started <- err; err == nil {
			_ = cmd.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start ZooKeeper: %w", err)
	}
	s.cmd, s.done = cmd, done
	return nil
}

// wait waits until the server serves.
func (s *Server) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !strings.Contains(s.ask("srvr"), "Mode: ") {
		select {
		case <-s.done:
			return s.failure("ended")
		default:
		}
		if pause(ctx) != nil {
			return s.failure("does not serve")
		}
	}
	return nil
}

func (s *Server) failure(what string) error {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err
	}
	return fmt.Errorf("the server at %s %s: %s", s.Address, what, lastLines(string(text), 8))
}

// ask sends one of ZooKeeper's four-letter words.
func (s *Server) ask(word string) string {
	c, err := net.DialTimeout("tcp", s.Address, time.Second)
	if err != nil {
		return ""
	}
	defer c.Close()
	if c.SetDeadline(time.Now().Add(2*time.Second)) != nil {
		return ""
	}
	if _, err := io.WriteString(c, word); err != nil {
		return ""
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		return ""
	}
	return string(answer)
}

func pause(ctx context.Context) error {
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill ends the server by SIGKILL, also a paused one, and waits for its end. One that does not run stays as it is.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.done
	s.cmd = nil
}

// Pause stops the server's process without ending it.
func (s *Server) Pause() error { return s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.cmd.Process.Signal(syscall.SIGCONT) }

// Start starts a killed server again. It is not waited for: see [Ensemble.Wait].
func (s *Server) Start() error {
	if s.cmd != nil {
		return fmt.Errorf("the server at %s already runs", s.Address)
	}
	return s.spawn()
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
