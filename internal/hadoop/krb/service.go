package krb

import (
	"context"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/sasl"
)

// lookupTimeout bounds the resolution of a server's name.
const lookupTimeout = 5 * time.Second

// Service is what the configuration says of a kind of server.
type Service struct {
	// Key is the Hadoop key that names the principal, for messages.
	Key string
	// Principal is its value, mostly with _HOST: nn/_HOST@EXAMPLE.COM.
	Principal string
	// Pattern is the value of Key + ".pattern": a glob for the server's principal, which then may be any that matches.
	Pattern string
	// Protection are the levels allowed, the preferred first (hadoop.rpc.protection).
	Protection []sasl.QOP
}

// ServiceOf reads a service's principal from the Hadoop configuration; get gives "" for a key that is not set.
func ServiceOf(get func(key string) string, key string, protection []sasl.QOP) Service {
	return Service{Key: key, Principal: get(key), Pattern: get(key + ".pattern"), Protection: protection}
}

// Mechanism gives what rpc.Security.Kerberos wants: GSSAPI towards servers of one kind. The server's offer only tells which of
// the principals that the configuration allows it is.
func (l *Login) Mechanism(s Service) func(ctx context.Context, address string, offer rpc.Offer) (sasl.Mechanism, error) {
	return func(ctx context.Context, address string, offer rpc.Offer) (sasl.Mechanism, error) {
		server, err := l.server(ctx, s, address, offer)
		if err != nil {
			return nil, err
		}
		return l.Initiate(ctx, server, s.Protection)
	}
}

// Initiate starts a GSSAPI exchange with a server.
func (l *Login) Initiate(ctx context.Context, server Principal, protection []sasl.QOP) (sasl.Mechanism, error) {
	t, err := l.Ticket(ctx, server)
	if err != nil {
		return nil, err
	}
	return &initiation{login: l, ticket: t, GSSAPI: sasl.NewGSSAPI(sasl.GSSConfig{Ticket: t.raw, SessionKey: t.key, ClientRealm: t.Client.Realm,
		Client: t.Client.name(), Allowed: protection, Now: l.o.Now})}, nil
}

// server checks an offer against the configuration and gives the server's principal.
func (l *Login) server(ctx context.Context, s Service, address string, offer rpc.Offer) (Principal, error) {
	offered := Principal{Components: []string{offer.Protocol, offer.ServerID}}
	if s.Pattern != "" {
		if offered.Realm = l.config.RealmOf(offer.ServerID); offered.Realm == "" {
			offered.Realm = l.config.DefaultRealm
		}
		if ok, err := path.Match(s.Pattern, offered.String()); err != nil || !ok && !matchAcross(s.Pattern, offered.String()) {
			return Principal{}, fmt.Errorf("%w: the server at %s says it is %s, which does not match %s.pattern, %q", ErrServer, address, offered, s.Key, s.Pattern)
		}
		return offered, nil
	}
	if s.Principal == "" {
		return Principal{}, fmt.Errorf("%w: %s is not set in the Hadoop configuration: set it to the principal of the server at %s", ErrServer, s.Key, address)
	}
	want, err := ParsePrincipal(s.Principal, l.config.DefaultRealm)
	if err != nil {
		return Principal{}, fmt.Errorf("%s: %w", s.Key, err)
	}
	if len(want.Components) != 2 {
		return Principal{}, fmt.Errorf("%w: %s is %q: expected service/host@REALM or service/_HOST@REALM", ErrServer, s.Key, s.Principal)
	}
	hosts := []string{want.Components[1]}
	if hosts[0] == "_HOST" {
		hosts = hostNames(ctx, address, offer.ServerID)
	}
	if offer.Protocol != want.Components[0] || !slices.Contains(hosts, strings.ToLower(offer.ServerID)) && !slices.Contains(hosts, offer.ServerID) {
		return Principal{}, fmt.Errorf("%w: the server at %s says it is %s/%s, expected %s/%s (%s)", ErrServer, address, offer.Protocol, offer.ServerID,
			want.Components[0], strings.Join(hosts, " or "), s.Key)
	}
	want.Components[1] = offer.ServerID
	return want, nil
}

// matchAcross matches a glob whose * also stands for a slash, as Hadoop's does.
func matchAcross(pattern, name string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(name, "/", "\x00"))
	return err == nil && ok
}

// hostNames are the names that _HOST may stand for at an address: the one that was dialled and, where the server says another,
// the canonical one by DNS.
func hostNames(ctx context.Context, address, said string) []string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	names := []string{strings.ToLower(host)}
	if strings.EqualFold(host, said) {
		return names
	}
	ctx, stop := context.WithTimeout(ctx, lookupTimeout)
	defer stop()
	add := func(name string) {
		if name = strings.ToLower(strings.TrimSuffix(name, ".")); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	// A look-up without an answer leaves the name that was dialled, and the message says what was expected.
	if canonical, err := net.DefaultResolver.LookupCNAME(ctx, host); err == nil && net.ParseIP(host) == nil {
		add(canonical)
	}
	addrs, _ := net.DefaultResolver.LookupHost(ctx, host)
	for _, a := range addrs {
		found, _ := net.DefaultResolver.LookupAddr(ctx, a)
		for _, name := range found {
			add(name)
		}
	}
	return names
}
