package rest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

// listening is a server on loopback; it ends with the test.
func listening(t *testing.T) string {
	t.Helper()
	s, err := rest.NewServer(rest.Options{Backend: resttest.Sample(), Token: token, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// patience bounds what these tests wait for.
const patience = 2 * time.Minute

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// askOn sends a request on a connection and gives the status, 0 when the other side hangs up.
func askOn(t *testing.T, c net.Conn, in *bufio.Reader, header string) int {
	t.Helper()
	if _, err := io.WriteString(c, "GET /overview HTTP/1.1\r\nHost: x\r\n"+header+"\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil && answer.StatusCode == http.StatusOK {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// A crowd of silent strangers, and of those who send half a request, shuts nobody out: neither who is in, nor who comes.
func TestCrowd(t *testing.T) {
	address, bearer := listening(t), "Authorization: Bearer "+token+"\r\n"
	inside := connect(t, address)
	in := bufio.NewReader(inside)
	if status := askOn(t, inside, in, bearer); status != 200 {
		t.Fatalf("status %d", status)
	}
	var crowd []net.Conn
	for i := range 600 { // more than connections are served at all
		c := connect(t, address)
		if i%2 == 0 {
			_, _ = io.WriteString(c, "GET /overview HTTP/1.1\r\nHo")
		}
		crowd = append(crowd, c)
	}
	late := connect(t, address)
	if status := askOn(t, late, bufio.NewReader(late), bearer); status != 200 {
		t.Errorf("who came last: status %d", status)
	}
	if status := askOn(t, inside, in, bearer); status != 200 {
		t.Errorf("who was there: status %d", status)
	}
	// The oldest have gone for that; the others go when their time is over.
	for i, c := range crowd[:300] {
		if b, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d is kept, said %q", i, b)
		}
	}
}

// Who is refused keeps no connection, and headers have a bound.
func TestRefusedConnections(t *testing.T) {
	address := listening(t)
	for name, c := range map[string]struct {
		header string
		status int
	}{
		"no token":          {"", 401},
		"wrong token":       {"Authorization: Bearer " + strings.Repeat("0", 64) + "\r\n", 401},
		"headers too large": {"Authorization: Bearer " + token + "\r\nX: " + strings.Repeat("x", 16<<10) + "\r\n", 431},
	} {
		conn := connect(t, address)
		in := bufio.NewReader(conn)
		if status := askOn(t, conn, in, c.header); status != c.status && (status != 0 || c.status != 431) {
			t.Errorf("%s: status %d", name, status)
		}
		if _, err := in.ReadByte(); errors.Is(err, os.ErrDeadlineExceeded) || err == nil {
			t.Errorf("%s: the connection is kept: %v", name, err)
		}
	}
	conn := connect(t, address)
	if status := askOn(t, conn, bufio.NewReader(conn), "Authorization: Bearer "+token+"\r\nX: "+strings.Repeat("x", 15<<10)+"\r\n"); status != 200 {
		t.Errorf("headers of less than 16 KiB: status %d", status)
	}
}
