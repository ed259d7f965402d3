package security

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// lockedBuffer is a log that tests read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// listen starts a Listener on loopback.
func listen(t *testing.T, limit int) (*Listener, *lockedBuffer) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	l := NewListener(inner, limit, FixedSecret(fixed(1)), []byte("server"), slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { l.Close() })
	return l, log
}

func dial(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestListenerGivesOnlyAuthenticated(t *testing.T) {
	l, log := listen(t, 0)
	silent := dial(t, l) // holds up nobody
	wrong := dial(t, l)
	if _, err := ClientHandshake(context.Background(), wrong, fixed(2), nil); !errors.Is(err, ErrUnauthenticated) {
		t.Fatal(err)
	}
	if _, err := wrong.Read(make([]byte, 1)); err == nil {
		t.Error("a refused connection stays open")
	}
	right := dial(t, l)
	if _, err := ClientHandshake(context.Background(), right, fixed(1), []byte("me")); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil || string(c.(*Conn).PeerHello) != "me" {
		t.Fatal(c, err)
	}
	defer c.Close()
	refusals := func() int { return strings.Count(log.String(), "connection refused") }
	for deadline := time.Now().Add(2 * time.Minute); refusals() == 0 && time.Now().Before(deadline); {
		runtime.Gosched() // the line is written after the connection is closed
	}
	if n := refusals(); n != 1 {
		t.Errorf("%d log lines for one refused connection:\n%s", n, log)
	}
	l.Close()
	if _, err := l.Accept(); err == nil {
		t.Error("Accept after Close")
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("a pending connection survives Close")
	}
}

// With the bound reached by silent connections an honest client still gets in; TestListenerKeepsSixtyFour sees who goes when.
func TestListenerBoundsPending(t *testing.T) {
	l, _ := listen(t, 3)
	var silent []net.Conn
	for range 10 {
		silent = append(silent, dial(t, l))
	}
	right := dial(t, l)
	if _, err := ClientHandshake(context.Background(), right, fixed(1), nil); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, s := range silent[:7] {
		s.SetReadDeadline(time.Now().Add(2 * time.Minute))
		if _, err := s.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("silent connection %d is kept: %v", i, err)
		}
	}
}

// A flood of strangers leaves few lines.
func TestListenerBoundsLog(t *testing.T) {
	l, log := listen(t, 0)
	for range 5 * refusalLines {
		c := dial(t, l)
		if _, err := c.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
	}
	l.Close()
	if n := strings.Count(log.String(), "connection refused"); n < 1 || n > 2*refusalLines {
		t.Errorf("%d lines", n)
	}
	if !strings.Contains(log.String(), "only counted") {
		t.Errorf("nobody says that lines are left out:\n%s", log)
	}
}
