package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// warnAhead is how long before tokens end for good their owner is told.
const warnAhead = 24 * time.Hour

// Keeper sees to it that a cluster has delegation tokens: with a login it renews them and gets new ones, without one it says in time
// when they will end. It talks to servers in its own goroutine only. Nil has nothing to keep.
type Keeper struct {
	// Who gets the new tokens; all that follows it uses them.
	Who *Identity
	// Collect gets a token for each store; nil without a login.
	Collect func(ctx context.Context) ([]Held, error)
	// HandOn gives new tokens to other processes.
	HandOn func(*token.Credentials)
	// Ratio is how much of a token's life passes before it is renewed, Backoff the longest pause between attempts.
	Ratio   float64
	Backoff time.Duration
	Now     func() time.Time
	Log     *slog.Logger

	// held are the tokens that were got here, and can be renewed here.
	held []Held

	mu    sync.Mutex
	lives lives
	// problem is why the last attempt to get tokens failed.
	problem string
}

// Run keeps the tokens until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	if k.Collect == nil {
		k.watch(ctx)
		return
	}
	for failures := 0; ; {
		wait := k.state().next(k.Now(), k.Ratio)
		if failures > 0 {
			wait = pauseAfter(failures, k.Backoff, k.state().until.Sub(k.Now()))
		}
		if delay.For(ctx, max(wait, firstRetryPause)) != nil {
			return
		}
		err := k.Refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		problem := ""
		if failures++; err == nil {
			failures = 0
		} else {
			problem = fmt.Sprintf("new delegation tokens cannot be got: %v", err)
			k.Log.Warn("new delegation tokens could not be got; it will be tried again", "end", k.state().until, "error", err)
		}
		k.mu.Lock()
		k.problem = problem
		k.mu.Unlock()
	}
}

// Lives tells the keeper of tokens that somebody else has got and renews: from now on they are known to live until end.
func (k *Keeper) Lives(end time.Time) { k.lives = lives{began: k.Now(), until: end, max: end} }

// Refresh renews the tokens that were got here, or gets new ones.
func (k *Keeper) Refresh(ctx context.Context) error {
	if len(k.held) > 0 && !k.state().exhausted(k.Ratio) {
		until, err := k.renew(ctx)
		if err == nil {
			k.mu.Lock()
			k.lives.began, k.lives.until = k.Now(), until
			k.mu.Unlock()
			k.Log.Info("delegation tokens were renewed", "until", until)
			return nil
		}
		k.Log.Warn("delegation tokens could not be renewed; new ones are got", "error", err)
	}
	held, err := k.Collect(ctx)
	if err != nil {
		return err
	}
	if len(held) == 0 {
		return errors.New("no store gave a token")
	}
	creds := &token.Credentials{}
	for _, h := range held {
		creds.Add(h.Service, h.Token)
	}
	end, err := Ends(creds, token.KindHDFSDelegation)
	if err != nil {
		return err
	}
	k.held = held
	until, err := k.renew(ctx)
	if err != nil {
		// They are new all the same; only how long they live is not known.
		k.Log.Warn("new delegation tokens could not be renewed", "error", err)
		until = k.Now().Add(min(warnAhead, end.Sub(k.Now())))
	}
	k.Who.Update(creds)
	k.HandOn(k.Who.Credentials())
	k.mu.Lock()
	k.lives = lives{began: k.Now(), until: until, max: end}
	k.mu.Unlock()
	k.Log.Info("new delegation tokens were got and handed on", "until", until, "max", end)
	return nil
}

// renew renews the tokens that were got here and tells until when the first of them lives.
func (k *Keeper) renew(ctx context.Context) (time.Time, error) {
	var first time.Time
	for _, h := range k.held {
		until, err := h.Issuer.RenewDelegationToken(ctx, h.Token)
		if err != nil {
			return first, err
		}
		if first.IsZero() || until.Before(first) {
			first = until
		}
	}
	return first, nil
}

// watch says when tokens that cannot be replaced will end.
func (k *Keeper) watch(ctx context.Context) {
	end := k.state().max
	if end.IsZero() || delay.For(ctx, end.Add(-warnAhead).Sub(k.Now())) != nil {
		return
	}
	k.Log.Warn(k.Warning())
	if delay.For(ctx, end.Sub(k.Now())) == nil {
		k.Log.Error(k.Warning())
	}
}

// Warning is what the owner should do something about; empty while there is nothing.
func (k *Keeper) Warning() string {
	if k == nil {
		return ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.Now()
	if k.Collect != nil {
		if k.problem == "" {
			return ""
		}
		return fmt.Sprintf("Kerberos: %s. Those at hand end on %s.", k.problem, k.lives.until.UTC().Format(time.RFC1123))
	}
	if k.lives.max.IsZero() || now.Before(k.lives.max.Add(-warnAhead)) {
		return ""
	}
	when := "end on"
	if now.After(k.lives.max) {
		when = "have ended on"
	}
	return fmt.Sprintf("Kerberos: the delegation tokens of this application %s %s, and it has no key table to get new ones: from then on its jobs can "+
		"neither read nor write HDFS. End it before, and start it again with %s and %s set.", when, k.lives.max.UTC().Format(time.RFC1123),
		config.KerberosKeytab.Key, config.KerberosPrincipal.Key)
}

// End is when the tokens at hand end unless something is done; zero where there are none.
func (k *Keeper) End() time.Time {
	if k == nil {
		return time.Time{}
	}
	return k.state().until
}

func (k *Keeper) state() lives {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lives
}
