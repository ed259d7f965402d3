package am

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security/identity"
)

// nameNode gives tokens that live for a day and at most for a week, as Hadoop's own settings say.
type nameNode struct {
	mu              sync.Mutex
	issued, renewed int
	// valid are the tokens at hand with the end of their present life.
	valid map[string]time.Time
	away  bool
}

const day = 24 * time.Hour

func (n *nameNode) token() token.Token {
	n.issued++
	b := []byte{0}
	for range 3 {
		b = token.AppendVInt(b, 0)
	}
	for _, v := range []int64{time.Now().UnixMilli(), time.Now().Add(7 * day).UnixMilli(), int64(n.issued), 0} {
		b = token.AppendVInt(b, v)
	}
	t := token.Token{Kind: token.KindHDFSDelegation, Identifier: b, Service: "nn"}
	n.valid[string(b)] = time.Now().Add(day)
	return t
}

// DelegationToken is identity.Issuer's.
func (n *nameNode) DelegationToken(context.Context, string) (token.Token, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return token.Token{}, errors.New("the NameNode is away")
	}
	return n.token(), nil
}

// RenewDelegationToken is identity.Issuer's.
func (n *nameNode) RenewDelegationToken(_ context.Context, t token.Token) (time.Time, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d, err := t.Delegation()
	if until := n.valid[string(t.Identifier)]; err != nil || n.away || until.Before(time.Now()) {
		return time.Time{}, fmt.Errorf("renew: away %v, valid until %v, %w", n.away, until, err)
	}
	n.renewed++
	until := time.Now().Add(day)
	if until.After(d.Max) {
		until = d.Max
	}
	n.valid[string(t.Identifier)] = until
	return until, nil
}

// pass lets the time of a bubble go on.
func pass(d time.Duration) { <-time.After(d) }

// keeperOf is a keeper for tokens that its NameNode has just given, in a bubble of time.
func keeperOf(t *testing.T, n *nameNode, keytab bool) (*tokenKeeper, *identity.Identity) {
	t.Helper()
	creds := &token.Credentials{}
	first := n.token()
	// The ResourceManager renews this one.
	n.valid[string(first.Identifier)] = time.Now().Add(7 * day)
	creds.Add("nn", first)
	end, err := identity.Ends(creds, token.KindHDFSDelegation)
	if err != nil {
		t.Fatal(err)
	}
	k := &tokenKeeper{who: identity.New("owner", creds), ratio: 0.75, backoff: time.Hour, now: time.Now, log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		handOn: func(*token.Credentials) {}, lives: lives{began: time.Now(), until: end, max: end}}
	if keytab {
		k.collect = func(ctx context.Context) ([]identity.Held, error) {
			tok, err := n.DelegationToken(ctx, "owner")
			return []identity.Held{{Token: tok, Issuer: n}}, err
		}
	}
	return k, k.who
}

// alive tells whether a token at hand is good.
func (n *nameNode) good(t *testing.T, who *identity.Identity) bool {
	t.Helper()
	tok, ok := who.Credentials().Find(token.KindHDFSDelegation, "nn")
	if !ok {
		t.Fatal("there is no token")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.valid[string(tok.Identifier)].After(time.Now())
}

// goAway sets whether it answers.
func (n *nameNode) goAway(away bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.away = away
}

// calls are how many tokens it has given and how often it has renewed one.
func (n *nameNode) calls() (issued, renewed int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.issued, n.renewed
}

// With a key table there is a good token at every hour of half a year, at few calls.
func TestTokensForMonths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &nameNode{valid: map[string]time.Time{}}
		k, who := keeperOf(t, n, true)
		ctx, stop := context.WithCancel(t.Context())
		go k.run(ctx)
		for hour := range 180 * 24 {
			if !n.good(t, who) {
				t.Fatalf("no good token after %d hours", hour)
			}
			if end := k.end(); !end.After(time.Now()) || k.warning() != "" {
				t.Fatalf("after %d hours: end %v, warning %q", hour, end, k.warning())
			}
			pass(time.Hour)
		}
		if issued, renewed := n.calls(); issued < 26 || issued > 60 || renewed > 400 {
			t.Errorf("%d tokens, %d renewals in half a year", issued, renewed)
		}
		stop()
		synctest.Wait()
	})
}

// A NameNode that is away for some hours is asked again, more often the shorter the time that is left, and the page says so.
func TestTokensAfterOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &nameNode{valid: map[string]time.Time{}}
		k, who := keeperOf(t, n, true)
		ctx, stop := context.WithCancel(t.Context())
		go k.run(ctx)
		pass(6 * day)
		n.goAway(true)
		pass(23 * time.Hour)
		if w := k.warning(); !strings.Contains(w, "the NameNode is away") {
			t.Errorf("warning %q", w)
		}
		n.goAway(false)
		for range 60 {
			pass(time.Hour)
			if !n.good(t, who) {
				t.Fatal("no good token after the outage")
			}
		}
		if w := k.warning(); w != "" {
			t.Errorf("warning %q after the outage", w)
		}
		stop()
		synctest.Wait()
	})
}

// sharedText is text that one goroutine writes while another reads it.
type sharedText struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write is io.Writer's.
func (s *sharedText) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// String is what was written so far.
func (s *sharedText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Without a key table the owner is told a day ahead.
func TestTokensEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &nameNode{valid: map[string]time.Time{}}
		k, _ := keeperOf(t, n, false)
		var log sharedText
		k.log = slog.New(slog.NewTextHandler(&log, nil))
		go k.run(t.Context())
		pass(6*day - time.Minute)
		if k.warning() != "" || log.String() != "" {
			t.Errorf("too early: %q", log.String())
		}
		pass(2 * time.Minute)
		synctest.Wait()
		if w := k.warning(); !strings.Contains(w, "end on") || !strings.Contains(w, "security.kerberos.login.keytab") || strings.Count(log.String(), "level=WARN") != 1 {
			t.Errorf("a day ahead: %q, log %q", w, log.String())
		}
		pass(day)
		synctest.Wait()
		if w := k.warning(); !strings.Contains(w, "have ended on") || strings.Count(log.String(), "level=ERROR") != 1 {
			t.Errorf("afterwards: %q, log %q", w, log.String())
		}
		if issued, _ := n.calls(); issued != 1 {
			t.Errorf("%d tokens were got", issued)
		}
	})
}

func TestNoTokens(t *testing.T) {
	var k *tokenKeeper
	if k.warning() != "" || !k.end().IsZero() {
		t.Error("a cluster without Kerberos has something to say about tokens")
	}
	without := &tokenKeeper{now: time.Now}
	without.run(t.Context())
	if without.warning() != "" {
		t.Error("an application without tokens is told of their end")
	}
}

// Pauses grow up to the limit and leave time for more attempts.
func TestPauseAfter(t *testing.T) {
	for _, c := range []struct {
		failures          int
		limit, left, want time.Duration
	}{
		{1, time.Hour, day, time.Second}, {4, time.Hour, day, 8 * time.Second}, {30, time.Hour, 7 * day, time.Hour}, {30, 10 * time.Second, day, 10 * time.Second},
		{30, time.Hour, time.Minute, 7500 * time.Millisecond}, {30, time.Hour, time.Second, time.Second}, {30, time.Hour, -day, time.Hour}, {1, 0, day, time.Second},
	} {
		if got := pauseAfter(c.failures, c.limit, c.left); got != c.want {
			t.Errorf("after %d failures, limit %v, %v left: %v, expected %v", c.failures, c.limit, c.left, got, c.want)
		}
	}
}
