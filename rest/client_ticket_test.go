package rest_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

// Where the server asks for a ticket the client shows one, where its token is not accepted, too; what its user may do decides.
func TestClientShowsTickets(t *testing.T) {
	b := resttest.Sample()
	server := httptest.NewServer(newHandler(t, b, func(o *rest.Options) {
		o.Authoriser, o.Identifier = rights{"viewer": {View: true}, "modifier": {Modify: true}}, badge{}
	}))
	defer server.Close()
	as := func(token, ticket string) (*rest.Client, *int) {
		shown := 0
		c, err := rest.NewClient(rest.ClientOptions{Address: server.URL, Token: token, Negotiate: func(_ context.Context, host string) (string, error) {
			if shown++; host != "127.0.0.1" {
				t.Errorf("a ticket for %s", host)
			}
			if ticket == "" {
				return "", errors.New("no kerberos ticket")
			}
			return "Negotiate " + ticket, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c, &shown
	}
	status := func(err error) int {
		var answer *rest.Error
		if errors.As(err, &answer) {
			return answer.Status
		}
		return 0
	}
	for _, s := range []struct {
		token, ticket string
		read, change  int
	}{
		{"", "viewer-stamped", 0, 403}, {"", "other-stamped", 403, 403}, {strings.Repeat("f", 64), "viewer-stamped", 0, 403},
		{"", "viewer", 401, 401}, {"", "guest@PARTNER.TEST-stamped", 403, 403},
	} {
		c, _ := as(s.token, s.ticket)
		if _, err := c.Overview(t.Context()); status(err) != s.read || err != nil && s.read == 0 {
			t.Errorf("%v: reading: %v", s, err)
		}
		if err := c.Cancel(t.Context(), resttest.RunningJob); status(err) != s.change {
			t.Errorf("%v: cancelling: %v", s, err)
		}
		if err := c.PutBlob(t.Context(), strings.Repeat("a", 64), 1<<20, bytes.NewReader(make([]byte, 1<<20))); status(err) != s.change {
			t.Errorf("%v: uploading: %v", s, err)
		}
	}
	if len(b.Canceled()) > 0 {
		t.Error("somebody without the right has cancelled a job")
	}
	c, shown := as("", "modifier-stamped")
	if err := c.Cancel(t.Context(), resttest.RunningJob); err != nil || len(b.Canceled()) != 1 {
		t.Errorf("%v, %v", err, b.Canceled())
	}
	if _, err := c.Overview(t.Context()); err != nil || *shown != 2 {
		t.Errorf("%d tickets, %v", *shown, err)
	}
	c, shown = as(token, "")
	if _, err := c.Overview(t.Context()); err != nil || *shown != 0 {
		t.Errorf("the owner's token is enough: %d tickets, %v", *shown, err)
	}
	c, _ = as("", "")
	if _, err := c.Overview(t.Context()); err == nil || !strings.Contains(err.Error(), "asks for a Kerberos ticket: no kerberos ticket") {
		t.Error(err)
	}
}

// Whatever is sent in the place of a ticket, it is refused, and the server goes on. A header of more than 16 KiB is not read.
func TestTicketsOfGarbage(t *testing.T) {
	s, err := rest.NewServer(rest.Options{Backend: resttest.Sample(), Token: token, Log: quiet(), Identifier: badge{}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	for text, want := range map[string]int{"": 401, "!": 401, strings.Repeat("A", 8<<10): 401, strings.Repeat("A", 20<<10): 431} {
		c, err := rest.NewClient(rest.ClientOptions{Address: l.Addr().String(), Negotiate: func(context.Context, string) (string, error) { return "Negotiate " + text, nil }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		var answer *rest.Error
		var broken *rest.Unreachable
		// The server does not read the rest of what is too long, so that its answer may be lost.
		if _, err := c.Overview(t.Context()); want == 431 && errors.As(err, &broken) {
			continue
		} else if !errors.As(err, &answer) || answer.Status != want {
			t.Errorf("%d characters: %v, expected %d", len(text), err, want)
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
