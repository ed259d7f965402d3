package krb

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
)

// recordedToken is a Negotiate token made with the tickets of the recorded cache, at its time.
func recordedToken(t testing.TB) []byte {
	t.Helper()
	c, err := parseCache(sample(t, "owner.cache"))
	if err != nil {
		t.Fatal(err)
	}
	l := &Login{config: &Config{realms: map[string]string{}}, principal: c.client, turn: make(chan struct{}, 1), tgt: &c.tickets[0],
		o:        Options{Now: func() time.Time { return c.tickets[1].Start }},
		services: map[string]*Ticket{"HTTP/web@WEFT.TEST": &c.tickets[1]}}
	header, err := l.Authorization(t.Context(), "Web")
	if err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, Negotiate+" "))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestForeignTicket: a ticket for another service proves nothing here.
func TestForeignTicket(t *testing.T) {
	a := &Acceptor{table: keytab.New(), seen: map[string]time.Time{}}
	_, err := a.Accept(recordedToken(t))
	if err == nil || !strings.Contains(err.Error(), "a ticket for nn/localhost@WEFT.TEST") {
		t.Error(err)
	}
	// Kerberos without SPNEGO around it is taken as well.
	_, inner, err := takeGSS(recordedToken(t))
	if err != nil || len(inner) == 0 {
		t.Fatal(err)
	}
}

func FuzzNegotiate(f *testing.F) {
	f.Add(recordedToken(f))
	a := &Acceptor{table: keytab.New(), seen: map[string]time.Time{}}
	f.Fuzz(func(t *testing.T, token []byte) {
		if who, err := a.Accept(token); err == nil {
			t.Errorf("accepted: %v", who)
		}
	})
}
