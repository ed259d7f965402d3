package am

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security/identity"
)

// warnAhead is how long before tokens end for good their owner is told.
const warnAhead = 24 * time.Hour

// tokenKeeper sees to it that the application has delegation tokens: with a key table it renews them and gets new ones, without
// one it says in time when they will end. It talks to servers in its own goroutine only.
type tokenKeeper struct {
	who *identity.Identity
	// collect gets a token for each store; nil without a key table.
	collect func(ctx context.Context) ([]identity.Held, error)
	// handOn gives new tokens to the TaskManagers.
	handOn  func(*token.Credentials)
	ratio   float64
	backoff time.Duration
	now     func() time.Time
	log     *slog.Logger

	// held are the tokens that were got here, and can be renewed here.
	held []identity.Held

	mu    sync.Mutex
	lives lives
	// problem is why the last attempt to get tokens failed.
	problem string
}

// logIn opens the application's stores, which it uses by token alone, and logs in with the key table where there is one, to get
// new tokens.
func (a *application) logIn() (err error) {
	a.who = identity.New(a.manifest.User, a.creds.Without(token.KindAMRM))
	if a.files, err = a.OpenFiles(a.hadoop, a.who, a.Log); err != nil {
		return err
	}
	if config.Get(a.config, config.KerberosKeytab) == "" || !a.hadoop.Secure() || !config.Get(a.config, config.DelegationTokens) {
		return nil
	}
	own := &identity.Identity{}
	own.Login, err = krb.Open(krb.Options{Keytab: a.localKeytab(), Principal: config.Get(a.config, config.KerberosPrincipal), Getenv: a.kerberosEnv, Log: a.Log})
	if err == nil {
		own.User, err = own.Login.User(a.hadoop.Get)
	}
	if err != nil {
		return fmt.Errorf("log in with the key table: %w", err)
	}
	if own.User != a.manifest.User {
		own.ProxyUser = a.manifest.User // for whom the tokens are
	}
	a.own = own
	a.issuers, err = a.OpenFiles(a.hadoop, own, a.Log)
	return err
}

// newTokenKeeper makes the keeper; nil on a cluster without Kerberos.
func (a *application) newTokenKeeper(handOn func(*token.Credentials)) (*tokenKeeper, error) {
	if !a.hadoop.Secure() {
		return nil, nil
	}
	k := &tokenKeeper{who: a.who, handOn: handOn, now: time.Now, log: a.Log,
		ratio: config.Get(a.config, config.TokenRenewalRatio), backoff: config.Get(a.config, config.TokenRenewalBackoff)}
	end, err := identity.Ends(a.who.Credentials(), token.KindHDFSDelegation)
	if err != nil {
		return nil, fmt.Errorf("delegation tokens: %w", err)
	}
	// Until now the ResourceManager renews them.
	k.lives = lives{began: k.now(), until: end, max: end}
	if a.own == nil {
		return k, nil
	}
	must := identity.Stores(a.hadoop.Get("fs.defaultFS"), a.manifest.Base, config.Get(a.config, config.KerberosFileSystems))
	may := identity.Stores(slices.Collect(maps.Values(a.config.Map()))...)
	k.collect = func(ctx context.Context) ([]identity.Held, error) {
		// Who logs in here renews them: the ResourceManager does not know them.
		return identity.CollectAll(ctx, a.issuers, must, may, a.own.User, nil, func(err error) { a.Log.Warn("no delegation token", "error", err) })
	}
	return k, nil
}

// run keeps the tokens until ctx ends.
func (k *tokenKeeper) run(ctx context.Context) {
	if k.collect == nil {
		k.watch(ctx)
		return
	}
	for failures := 0; ; {
		wait := k.state().next(k.now(), k.ratio)
		if failures > 0 {
			wait = pauseAfter(failures, k.backoff, k.state().until.Sub(k.now()))
		}
		if delay.For(ctx, max(wait, firstRetryPause)) != nil {
			return
		}
		err := k.refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		problem := ""
		if failures++; err == nil {
			failures = 0
		} else {
			problem = fmt.Sprintf("new delegation tokens cannot be got: %v", err)
			k.log.Warn("new delegation tokens could not be got; it will be tried again", "end", k.state().until, "error", err)
		}
		k.mu.Lock()
		k.problem = problem
		k.mu.Unlock()
	}
}

// refresh renews the tokens that were got here, or gets new ones.
func (k *tokenKeeper) refresh(ctx context.Context) error {
	if len(k.held) > 0 && !k.state().exhausted(k.ratio) {
		until, err := k.renew(ctx)
		if err == nil {
			k.mu.Lock()
			k.lives.began, k.lives.until = k.now(), until
			k.mu.Unlock()
			k.log.Info("delegation tokens were renewed", "until", until)
			return nil
		}
		k.log.Warn("delegation tokens could not be renewed; new ones are got", "error", err)
	}
	held, err := k.collect(ctx)
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
	end, err := identity.Ends(creds, token.KindHDFSDelegation)
	if err != nil {
		return err
	}
	k.held = held
	until, err := k.renew(ctx)
	if err != nil {
		// They are new all the same; only how long they live is not known.
		k.log.Warn("new delegation tokens could not be renewed", "error", err)
		until = k.now().Add(min(warnAhead, end.Sub(k.now())))
	}
	k.who.Update(creds)
	k.handOn(k.who.Credentials())
	k.mu.Lock()
	k.lives = lives{began: k.now(), until: until, max: end}
	k.mu.Unlock()
	k.log.Info("new delegation tokens were got and handed on", "until", until, "max", end)
	return nil
}

// renew renews the tokens that were got here and tells until when the first of them lives.
func (k *tokenKeeper) renew(ctx context.Context) (time.Time, error) {
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
func (k *tokenKeeper) watch(ctx context.Context) {
	end := k.state().max
	if end.IsZero() || delay.For(ctx, end.Add(-warnAhead).Sub(k.now())) != nil {
		return
	}
	k.log.Warn(k.warning())
	if delay.For(ctx, end.Sub(k.now())) == nil {
		k.log.Error(k.warning())
	}
}

// warning is what the owner should do something about; empty while there is nothing.
func (k *tokenKeeper) warning() string {
	if k == nil {
		return ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if k.collect != nil {
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

// end is when the tokens at hand end unless something is done; zero where there are none.
func (k *tokenKeeper) end() time.Time {
	if k == nil {
		return time.Time{}
	}
	return k.state().until
}

func (k *tokenKeeper) state() lives {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lives
}
