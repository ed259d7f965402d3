//go:build realhadoop && long

package zookeeper_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/zookeeper"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/internal/zookeepertest"
)

const patience = 3 * time.Minute

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func lead(t *testing.T, s *zookeeper.Store, name string) ha.Term {
	t.Helper()
	term, err := s.Campaign(soon(t), ha.Candidate{Identity: name})
	if err != nil {
		t.Fatal(err)
	}
	return term
}

// TestServersFail takes servers away from under a leader, by death and by hanging, one and then two of three.
func TestServersFail(t *testing.T) {
	e := zookeepertest.Start(t, 3)
	o := options(t, e.Quorum(), "/weft")
	o.Cluster, o.SessionTimeout, o.ConnectionTimeout = "one", 6*time.Second, 2*time.Second
	s := open(t, o)
	defer s.Close()
	term := lead(t, s, "a")
	key := ha.Key{Kind: ha.Checkpoint, Job: id.NewJob()}
	// The session may end when the machine is slow: then it is led anew.
	written := func(what, value string) {
		t.Helper()
		await.Until(t, what, func() bool {
			if term.Cause() != nil {
				term = lead(t, s, "a again")
			}
			return term.Check() == nil && term.Put(soon(t), key, []byte(value)) == nil
		})
	}
	written("at first", "0")
	first, err := e.Leader(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	e.Servers[first].Kill()
	written("the ensemble's leader has died", "1")
	second, err := e.Leader(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Servers[first].Start(); err != nil {
		t.Fatal(err)
	}
	if err := e.Wait(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := e.Servers[second].Pause(); err != nil {
		t.Fatal(err)
	}
	written("the ensemble's leader hangs", "2")
	third := 3 - first - second
	e.Servers[third].Kill()
	// No quorum: the leader stops by its own clock, and is not told that it has lost.
	await.Until(t, "the leader may not act without a quorum", func() bool { return term.Check() != nil })
	if err := term.Put(soon(t), key, []byte("x")); !errors.Is(err, ha.ErrLease) && !errors.Is(err, ha.ErrFenced) {
		t.Errorf("a write without a quorum: %v", err)
	}
	if err := e.Servers[second].Resume(); err != nil {
		t.Fatal(err)
	}
	if err := e.Servers[third].Start(); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get(soon(t), key); err != nil || string(v) != "2" {
		t.Errorf("the value is %q, %v; expected 2", v, err)
	}
	written("all servers are back", "3")
}

// Variables of a copy of the test's program that leads and publishes.
const (
	childQuorum = "WEFT_HA_TEST_QUORUM"
	childJob    = "WEFT_HA_TEST_JOB"
)

func TestMain(m *testing.M) {
	if quorum := os.Getenv(childQuorum); quorum != "" {
		os.Exit(publisher(quorum, os.Getenv(childJob)))
	}
	os.Exit(m.Run())
}

func publisherOptions(quorum string) zookeeper.Options {
	return zookeeper.Options{Quorum: quorum, Root: "/weft", Cluster: "paused", SessionTimeout: 4 * time.Second, RetryWait: time.Second, Retries: 30}
}

// publisher leads, publishes as fast as it can and says so, until standard input ends.
func publisher(quorum, job string) int {
	fail := func(err error) int {
		fmt.Println("failed", err)
		return 1
	}
	s, err := zookeeper.Open(publisherOptions(quorum))
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	j, err := id.ParseJob(job)
	if err != nil {
		return fail(err)
	}
	key := ha.Key{Kind: ha.Checkpoint, Job: j}
	for ctx.Err() == nil {
		term, err := s.Campaign(ctx, ha.Candidate{Identity: "child"})
		if err != nil {
			return fail(err)
		}
		fmt.Println("epoch", term.Epoch())
		for n := 0; ctx.Err() == nil && term.Cause() == nil; n++ {
			if err := term.Put(ctx, key, fmt.Appendf(nil, "%d %d", term.Epoch(), n)); err != nil {
				fmt.Println("refused", err)
				continue
			}
			fmt.Println("published", n)
		}
		fmt.Println("lost", term.Cause())
	}
	return 0
}

// TestPausedLeader stops a leader's process for longer than its lease, in the midst of publishing, and lets it go on when another leads.
func TestPausedLeader(t *testing.T) {
	e := zookeepertest.Start(t, 1)
	job := id.NewJob()
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), childQuorum+"="+e.Quorum(), childJob+"="+job.String())
	child.Stderr = t.Output()
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := &lines{}
	child.Stdout = said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		_ = child.Process.Kill() // it may have ended
		_ = child.Wait()
	}()
	await.Until(t, "the child publishes", func() bool { return said.count("published") > 20 })
	epoch, err := strconv.ParseUint(said.after("epoch "), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	o := publisherOptions(e.Quorum())
	o.SessionTimeout = time.Minute
	s := open(t, o)
	defer s.Close()
	term := lead(t, s, "test")
	if uint64(term.Epoch()) <= epoch {
		t.Errorf("epoch %d after %d", term.Epoch(), epoch)
	}
	key := ha.Key{Kind: ha.Checkpoint, Job: job}
	before, err := s.Get(soon(t), key)
	if err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the new leader may act", func() bool { return term.Check() == nil })
	lost := said.count("lost")
	if err := child.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the child hears that it has lost", func() bool { return said.count("lost") > lost })
	after, err := s.Get(soon(t), key)
	if err != nil || string(after) != string(before) {
		t.Errorf("the value is %q, %v; the new leader had found %q", after, err, before)
	}
}

// lines is what the child has said.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(word string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), word)
}

// after gives the rest of the first line that begins like that.
func (l *lines) after(prefix string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// TestDigest has nodes that only their creator's account may read.
func TestDigest(t *testing.T) {
	e := zookeepertest.Start(t, 1)
	o := options(t, e.Quorum()+"/tenant", "/weft")
	o.Cluster, o.CreatorOnly, o.Auth = "one", true, []zookeeper.Auth{{Scheme: "digest", Secret: "weft:secret"}}
	s := open(t, o)
	defer s.Close()
	term, key := lead(t, s, "a"), ha.Key{Kind: ha.Graph, Job: id.NewJob()}
	if err := term.Put(soon(t), key, []byte("graph")); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get(soon(t), key); err != nil || string(v) != "graph" {
		t.Errorf("the owner reads %q, %v", v, err)
	}
	o.Auth = []zookeeper.Auth{{Scheme: "digest", Secret: "weft:wrong"}}
	stranger := open(t, o)
	defer stranger.Close()
	if v, err := stranger.Get(soon(t), key); err == nil || !strings.Contains(err.Error(), "not authenticated") {
		t.Errorf("a stranger reads %q, %v", v, err)
	}
	if _, err := stranger.Campaign(soon(t), ha.Candidate{}); err == nil {
		t.Error("a stranger leads")
	}
}

// TestTLS goes through a proxy that speaks TLS, and has a certificate for its name.
func TestTLS(t *testing.T) {
	e := zookeepertest.Start(t, 1)
	cert, pool := certificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go serveTLS(l, e.Servers[0].Address)
	o := options(t, l.Addr().String(), "/weft")
	o.Cluster, o.TLS = "one", &tls.Config{RootCAs: pool}
	s := open(t, o)
	defer s.Close()
	term, key := lead(t, s, "a"), ha.Key{Kind: ha.Graph, Job: id.NewJob()}
	if err := term.Put(soon(t), key, []byte("graph")); err != nil {
		t.Error(err)
	}
	if v, err := s.Get(soon(t), key); err != nil || string(v) != "graph" {
		t.Errorf("over TLS: %q, %v", v, err)
	}
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func serveTLS(l net.Listener, server string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", server)
		if err != nil {
			c.Close()
			return
		}
		copyAll := func(to, from net.Conn) {
			_, _ = io.Copy(to, from) // until either end closes
			_ = errors.Join(to.Close(), from.Close())
		}
		go copyAll(far, c)
		go copyAll(c, far)
	}
}
