package krb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"time"

	"github.com/weft-project/weft/internal/delay"
)

// Keys of Weft's configuration and the variables that stand in for them.
const (
	KeyKeytab    = "security.kerberos.login.keytab"
	KeyPrincipal = "security.kerberos.login.principal"
	KeyUseCache  = "security.kerberos.login.use-ticket-cache"
	EnvKeytab    = "KERBEROS_KEYTAB"
	EnvPrincipal = "KERBEROS_PRINCIPAL"
)

// Options say how to log in. The zero value takes the ticket cache that kinit wrote.
type Options struct {
	// Keytab is a key table; with it no ticket cache is looked at.
	Keytab string
	// Principal is whose key or ticket is wanted; without it the first of the key table, or the cache's.
	Principal string
	// NoCache forbids the ticket cache.
	NoCache bool
	// Getenv gives the environment; nil takes the process's.
	Getenv func(string) string
	// Now is the clock; nil takes time.Now.
	Now func() time.Time
	// Log gets log-ins and renewals at debug level, failed ones as warnings; nil logs nothing.
	Log *slog.Logger
}

// FromSettings reads the options from Weft's configuration (get gives "" for a key that is not set), then from the
// environment.
func FromSettings(get func(key string) string, getenv func(string) string) (Options, error) {
	o := Options{Keytab: get(KeyKeytab), Principal: get(KeyPrincipal), Getenv: getenv}
	if o.Keytab == "" {
		o.Keytab = getenv(EnvKeytab)
	}
	if o.Principal == "" {
		o.Principal = getenv(EnvPrincipal)
	}
	if v := get(KeyUseCache); v != "" {
		use, err := boolean(v)
		if err != nil {
			return o, fmt.Errorf("%w: %s: %w", ErrConfig, KeyUseCache, err)
		}
		o.NoCache = !use
	}
	if o.Keytab != "" && o.Principal == "" {
		return o, fmt.Errorf("%w: %s is %s but %s is not set: set it to the principal of the key table", ErrConfig, KeyKeytab, o.Keytab, KeyPrincipal)
	}
	return o, nil
}

// Login is an identity: it gets tickets for services and keeps them. It is safe for use by several goroutines.
type Login struct {
	o         Options
	config    *Config
	principal Principal
	// keys are those of the key table; nil: there is a ticket cache.
	keys keyring
	// want is the principal that the ticket cache must have, zero until one is known; cache is its name.
	want  Principal
	cache string

	// turn has room for one: who holds it may use what follows, and asks the KDC meanwhile. A channel, so that waiting for it
	// ends with the caller's context.
	turn chan struct{}
	tgt  *Ticket
	// tried is when another ticket-granting ticket was last asked for.
	tried time.Time
	// services are tickets for services and for other realms' KDCs, by server.
	services map[string]*Ticket
}

// Open finds out who we are: it reads krb5.conf and the key table or ticket cache. It asks no KDC.
func Open(o Options) (*Login, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	config, err := LoadConfig(o.Getenv)
	if err != nil {
		return nil, err
	}
	l := &Login{o: o, config: config, turn: make(chan struct{}, 1), services: map[string]*Ticket{}}
	if o.Keytab != "" {
		l.principal, l.keys, err = readKeytab(o.Keytab, o.Principal, config.DefaultRealm)
		if err != nil {
			return nil, err
		}
		return l, nil
	}
	if o.NoCache {
		return nil, fmt.Errorf("%w for %s: %s is false and %s is not set: set it, or allow the ticket cache", ErrNoTicket, l.sought(), KeyUseCache, KeyKeytab)
	}
	if o.Principal != "" {
		if l.want, err = ParsePrincipal(o.Principal, config.DefaultRealm); err != nil {
			return nil, err
		}
	}
	l.cache = cacheName(config, o.Getenv)
	if err := l.readCache(); err != nil {
		return nil, err
	}
	return l, nil
}

// take waits for the caller's turn.
func (l *Login) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *Login) give() { <-l.turn }

// Principal is who we are.
func (l *Login) Principal() Principal { return l.principal }

// Config is the krb5.conf in use.
func (l *Login) Config() *Config { return l.config }

// FromKeytab tells whether the login rests on a key table, and so can last for ever.
func (l *Login) FromKeytab() bool { return l.keys != nil }

// Source names where the login comes from: a key table or a ticket cache.
func (l *Login) Source() string {
	if l.keys != nil {
		return "key table " + l.o.Keytab
	}
	return "ticket cache " + l.cache
}

// sought is the principal that messages name before there is one: that of the settings, else the user's in the default realm.
func (l *Login) sought() string {
	name := l.o.Principal
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	if p, err := ParsePrincipal(name, l.config.DefaultRealm); err == nil {
		return p.String()
	}
	return name
}

// readCache takes the ticket-granting ticket from the ticket cache.
func (l *Login) readCache() error {
	c, err := readCache(l.cache, l.want)
	switch {
	case errors.Is(err, ErrNoTicket):
		return fmt.Errorf("%w (looking for %s)", err, l.sought())
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w of %s: there is no ticket cache %s: run kinit %s, or set %s and %s",
			ErrNoTicket, l.sought(), l.cache, l.sought(), KeyKeytab, KeyPrincipal)
	case err != nil:
		return fmt.Errorf("%w of %s: %w: run kinit again", ErrNoTicket, l.sought(), err)
	case l.want.Realm != "" && !c.client.Equal(l.want):
		return fmt.Errorf("%w of %s: the ticket cache %s is that of %s: run kinit %s", ErrNoTicket, l.want, l.cache, c.client, l.want)
	}
	home := ticketGranting(c.client.Realm, c.client.Realm)
	best := c.best(home)
	if best == nil {
		return fmt.Errorf("%w of %s: the ticket cache %s has none for realm %s: run kinit %s", ErrNoTicket, c.client, c.name, c.client.Realm, c.client)
	}
	// A ticket that was renewed here may be better than the one in the file.
	if l.tgt == nil || best.End.After(l.tgt.End) {
		l.tgt = best
	}
	// From now on nobody else will do: a kinit of another user must not change who a running process is.
	if l.want.Realm == "" || l.principal.Realm == "" {
		l.principal, l.want = c.client, c.client
	}
	// What other programs have fetched already is not asked for again, which also does while no KDC answers.
	for i := range c.tickets {
		t := &c.tickets[i]
		if name := t.Server.String(); !t.Server.Equal(home) && l.services[name] == nil && c.best(t.Server) == t && t.usable(l.o.Now()) {
			t.cached = true
			l.services[name] = t
		}
	}
	return nil
}

// Check gets a valid ticket-granting ticket, asking the KDC where there is none yet, and tells how long it lasts.
func (l *Login) Check(ctx context.Context) (until time.Time, err error) {
	if err := l.take(ctx); err != nil {
		return time.Time{}, err
	}
	defer l.give()
	t, _, err := l.granting(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return t.End, nil
}

// granting gives a ticket-granting ticket with time left: a new one, a renewed one, or as long as it lasts the old one. late is why
// it could not be replaced just now.
func (l *Login) granting(ctx context.Context) (t *Ticket, late, err error) {
	now := l.o.Now()
	if l.tgt != nil && (!l.tgt.aging(now) || l.tgt.End.After(now) && now.Sub(l.tried).Abs() < l.tgt.patience()) {
		return l.tgt, nil, nil
	}
	l.tried = now
	err = l.refresh(ctx)
	if err != nil {
		if l.tgt != nil && l.tgt.End.After(now) && ctx.Err() == nil {
			l.o.Log.Warn("a kerberos ticket could not be renewed yet", "principal", l.principal.String(), "until", l.tgt.End, "error", err)
			return l.tgt, err, nil
		}
		return nil, nil, err
	}
	if !l.tgt.End.After(now) {
		return nil, nil, fmt.Errorf("%w: that of %s in the %s ended at %s, %v ago: run kinit %s, or set %s and %s", ErrExpired, l.principal, l.Source(),
			l.tgt.End.Format(time.DateTime), now.Sub(l.tgt.End).Round(time.Second), l.principal, KeyKeytab, KeyPrincipal)
	}
	return l.tgt, nil, nil
}

// refresh replaces the ticket-granting ticket by one that lasts longer, where that can be done.
func (l *Login) refresh(ctx context.Context) error {
	now := l.o.Now()
	if l.keys != nil {
		t, err := l.logIn(ctx)
		if err != nil {
			return err
		}
		l.tgt = t
		clear(l.services)
		l.o.Log.Debug("kerberos log-in", "principal", l.principal.String(), "until", t.End)
		return nil
	}
	// The user may have run kinit meanwhile: tickets for services that were got with the old one end with it, at the latest.
	if err := l.readCache(); err != nil && (l.tgt == nil || !l.tgt.End.After(now)) {
		return err
	}
	if !l.tgt.aging(now) {
		return nil
	}
	if !l.tgt.renewable() || !l.tgt.RenewTill.After(now) || !l.tgt.End.After(now) {
		return nil
	}
	t, err := l.request(ctx, l.tgt, l.tgt.Server, true)
	if err != nil {
		return l.explain(l.principal, ticketGranting(l.principal.Realm, l.principal.Realm), err)
	}
	if t.RenewTill.IsZero() {
		t.RenewTill = l.tgt.RenewTill
	}
	l.tgt = t
	clear(l.services)
	l.o.Log.Debug("kerberos ticket renewed", "principal", l.principal.String(), "until", t.End)
	return nil
}

// Keep renews the ticket before it ends, until ctx does. A process that may be silent for longer than a ticket lives runs it
// beside its work; with a key table it only saves time. failed, when not nil, hears of each failure.
func (l *Login) Keep(ctx context.Context, failed func(error)) {
	for ctx.Err() == nil {
		until, err := l.Check(ctx)
		if err != nil && ctx.Err() == nil && failed != nil {
			failed(err)
		}
		pause := max(until.Sub(l.o.Now())/8, time.Second)
		if err != nil || until.IsZero() {
			pause = 10 * time.Second
		}
		_ = delay.For(ctx, min(pause, time.Hour)) // its error is the end of ctx
	}
}

// Ticket gives a ticket for a service, from memory while it lasts.
func (l *Login) Ticket(ctx context.Context, service Principal) (*Ticket, error) {
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	defer l.give()
	tgt, late, err := l.granting(ctx)
	if err != nil {
		return nil, err
	}
	if t := l.services[service.String()]; t != nil && !t.used(l.o.Now()) {
		return t, nil
	}
	if errors.Is(late, ErrUnreachable) {
		return nil, late // nobody is there to ask for the other ticket either
	}
	if tgt, err = l.cross(ctx, tgt, service); err != nil {
		return nil, err
	}
	t, err := l.request(ctx, tgt, service, false)
	if err != nil {
		return nil, l.explain(l.principal, service, err)
	}
	if !t.Server.Equal(service) {
		return nil, fmt.Errorf("%w: the KDC of %s gave %s a ticket for %s instead of %s", ErrRefused, service.Realm, l.principal, t.Server, service)
	}
	l.services[service.String()] = t
	return t, nil
}

// maxHops bounds the realms on the way to a service.
const maxHops = 8

// cross gets a ticket-granting ticket for the realm of a service, by way of other realms where there is no direct trust.
func (l *Login) cross(ctx context.Context, tgt *Ticket, service Principal) (*Ticket, error) {
	way := append(append([]string(nil), l.config.paths[l.principal.Realm][service.Realm]...), service.Realm)
	for range maxHops {
		at := tgt.Server.Components[len(tgt.Server.Components)-1]
		if at == service.Realm {
			return tgt, nil
		}
		next := way[0]
		if len(way) > 1 {
			way = way[1:]
		}
		if next == at {
			continue
		}
		want := ticketGranting(next, at)
		t := l.services[want.String()]
		if t == nil || t.used(l.o.Now()) {
			var err error
			if t, err = l.request(ctx, tgt, want, false); err != nil {
				return nil, l.explain(l.principal, want, err)
			}
		}
		if len(t.Server.Components) != 2 || t.Server.Components[0] != "krbtgt" {
			return nil, fmt.Errorf("%w: the KDC of %s gave %s a ticket for %s on the way to %s", ErrRefused, at, l.principal, t.Server, service)
		}
		l.services[want.String()] = t
		tgt = t
	}
	return nil, fmt.Errorf("%w: no way from realm %s to that of %s within %d realms: check [capaths]", ErrRefused, l.principal.Realm, service, maxHops)
}
