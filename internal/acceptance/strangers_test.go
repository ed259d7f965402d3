//go:build realhadoop

package acceptance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/security"
)

// handshakes are beginnings of our own handshake (docs/formats/handshake.md) that go no further, or go wrong.
func handshakes() []string {
	nonce := strings.Repeat("n", 32)
	hello := "WEFT\x01\x01\x00\x20" + nonce
	return []string{
		"WEF", "WEFT\x01\x01\x00",
		"WEFT\x01\x01\x00\x20" + nonce[:7], // half a hello
		hello,                              // and then nothing
		hello + "WEFT\x01\x02\x00\x20" + nonce[:9],          // half a proof
		hello + "WEFT\x01\x02\x00\x20" + nonce,              // a wrong one
		hello + hello,                                       // a hello in the place of a proof
		"WEFT\x01\x01\xff\xff" + strings.Repeat("x", 1<<16), // more than 4 KiB
		"WEFT\x01\x02\x00\x20" + nonce,                      // the proof first
		"WEFT\x01\x03\x00\x01\x01",                          // a refusal
		"WEFT\x07\x01\x00\x20" + nonce,                      // another version
	}
}

// wrongSecrets shakes hands properly with secrets of somebody else: with those of another application, with none of the right
// kind, and with the secret for one port at another. Nobody may prove itself to us before we have.
func wrongSecrets(t *testing.T, ports map[string]string, application security.Secret, job string) {
	t.Helper()
	ofJob := application.Derive(security.LabelJob, job)
	secrets := map[string]security.Secret{
		"a secret of another application": security.NewSecret(), "the application's own": application, "the owner's token": application.Derive(security.LabelRESTOwner),
		"the job's": ofJob, "another job's": application.Derive(security.LabelJob, strings.Repeat("0", 32)).Derive(security.LabelData),
	}
	var all sync.WaitGroup
	for address, who := range ports {
		own := map[string]security.Secret{"the data secret at the JobManager": ofJob.Derive(security.LabelData)}
		if who == "worker" {
			own = map[string]security.Secret{"the control secret at a worker": application.Derive(security.LabelControl)}
		}
		for _, set := range []map[string]security.Secret{secrets, own} {
			for what, secret := range set {
				all.Go(func() {
					conn, err := net.Dial("tcp", address)
					if err != nil {
						t.Error(err)
						return
					}
					defer conn.Close()
					ctx, cancel := context.WithTimeout(context.Background(), patience)
					defer cancel()
					if _, err := security.ClientHandshake(ctx, conn, secret, []byte("stranger")); !errors.Is(err, security.ErrUnauthenticated) {
						t.Errorf("%s at %s, with %s: %v", who, address, what, err)
					}
				})
			}
		}
	}
	all.Wait()
}

// requests talks to the HTTP port as strangers do who are slow, silent or too loud; each must be dropped, with an answer of
// bounded size at most.
func requests(t *testing.T, address string) {
	t.Helper()
	var all sync.WaitGroup
	for name, text := range map[string]string{
		"silence": "", "half a line": "GET /over", "half a header": "GET /overview HTTP/1.1\r\nHost: x\r\nAuthorization: Bea",
		"headers of 1 MiB": "GET /overview HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: "+strings.Repeat("x", 1000)+"\r\n", 1000) + "\r\n",
		"a line of 1 MiB":  "GET /" + strings.Repeat("x", 1<<20),
		"no HTTP":          "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "our handshake": handshakes()[3] + "\r\n\r\n",
		"a stranger who would stay": "GET /overview HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
		"a body without end":        "POST /weft/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\nabc",
	} {
		all.Go(func() {
			if err := droppedAfter(address, text, 4<<10); err != nil {
				t.Errorf("HTTP at %s, %s: %v", address, name, err)
			}
		})
	}
	all.Wait()
}

// crowd opens more silent connections to each port than may be pending, and keeps them while during runs.
func crowd(t *testing.T, addresses []string, during func()) {
	t.Helper()
	var mu sync.Mutex
	var open []net.Conn
	var all sync.WaitGroup
	for _, address := range addresses {
		all.Go(func() {
			for range 300 {
				conn, err := net.DialTimeout("tcp", address, patience)
				if err != nil {
					t.Errorf("%s: %v", address, err)
					return
				}
				mu.Lock()
				open = append(open, conn)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	during()
	for _, conn := range open {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		var late net.Error
		if _, err := conn.Read(make([]byte, 1)); err == nil || errors.As(err, &late) && late.Timeout() {
			t.Errorf("a silent connection to %v is kept: %v", conn.RemoteAddr(), err)
		}
		_ = conn.Close()
	}
}

// keys are the addresses of ports, and one more.
func keys(ports map[string]string, more string) []string {
	out := []string{more}
	for address := range ports {
		out = append(out, address)
	}
	return out
}

// droppedAfter sends a text and waits until the other side hangs up, having said no more than most bytes.
func droppedAfter(address, text string, most int) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	// It may hang up before all is sent.
	_, _ = conn.Write([]byte(text))
	said := 0
	for b := make([]byte, 4096); ; {
		n, err := conn.Read(b)
		said += n
		var late net.Error
		switch {
		case errors.As(err, &late) && late.Timeout():
			return errors.New("the connection is kept")
		case said > most:
			return fmt.Errorf("more than %d bytes in answer", most)
		case err != nil:
			return nil
		}
	}
}
