package doctor

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/plural"
	"github.com/weft-project/weft/rest/access"
)

// kdcClock compares this machine's clock with the KDC's, which is the one that counts.
func (e *examination) kdcClock(ctx context.Context) {
	if e.who == nil || e.who.Login == nil {
		return
	}
	ctx, cancel := e.asking(ctx)
	defer cancel()
	ahead, err := e.who.Login.KDCAhead(ctx)
	whose := "KDC of " + e.who.Login.Principal().Realm
	switch {
	case errors.Is(err, krb.ErrUnreachable):
		e.wrong(CauseUnreachable, "KDC", "", "%v", err)
	case err != nil:
		e.warn("clock", "", "that of the %s is not known: %v", whose, err)
	default:
		e.clock(whose, ahead)
	}
}

// mostProofs is on how many nodes' behalf the key table for REST is tried with a ticket.
const mostProofs = 3

// httpKeys looks whether JobManagers could know callers by their tickets (security.rest.auth: kerberos): the key table has the keys of
// the nodes on which they may run, and they are those that the KDC has.
func (e *examination) httpKeys(ctx context.Context) bool {
	const check = "REST tickets"
	if !access.Tickets(e.Config) {
		return true
	}
	path := access.KeyTable(e.Config)
	if path == "" {
		e.wrong(CauseSettings, check, "make principals HTTP/host for the nodes, and name a key table with their keys in "+config.RESTKeytab.Key,
			"%s is %s, but no key table is named", config.RESTAuth.Key, config.RESTAuthKerberos)
		return true
	}
	acceptor, err := access.NewAcceptor(e.hadoop, path, e.krb5Env)
	if err != nil {
		e.wrong(CauseSettings, check, "make it anew, with the keys of HTTP/host for all nodes", "%v", err)
		return true
	}
	hosts := acceptor.Hosts()
	nodes := e.nodeHosts()
	var without []string
	for _, n := range nodes {
		if !slices.Contains(hosts, n) {
			without = append(without, n)
		}
	}
	for _, host := range slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return slices.Contains(without, n) })[:min(len(nodes)-len(without), mostProofs)] {
		if err := e.prove(ctx, acceptor, host); err != nil {
			e.wrong(CauseSettings, check, "make the key table anew, and check that the KDC knows the principal", "key table %s: a ticket for HTTP/%s is not taken by it: %v", path, host, err)
			return true
		}
	}
	switch {
	case len(nodes) > 0 && len(without) == len(nodes):
		e.wrong(CauseSettings, check, "make principals HTTP/host for the nodes, and put their keys into it",
			"key table %s has no key of any node; it has those of HTTP/ %s", path, strings.Join(hosts[:min(len(hosts), 5)], ", "))
	case len(without) > 0:
		e.warn(check, "put their keys into it: the JobManager may run there", "key table %s has no key of HTTP/host for %s: %s", path,
			plural.Words(len(without), "node", "nodes"), strings.Join(without[:min(len(without), 5)], ", "))
	case len(nodes) == 0:
		e.ok(check, "key table %s has keys of HTTP/host for %s; the nodes are not known", path, strings.Join(hosts[:min(len(hosts), 5)], ", "))
	default:
		e.ok(check, "key table %s has keys of HTTP/host for all %s", path, plural.Words(len(nodes), "node", "nodes"))
	}
	return true
}

// nodeHosts are the names under which nodes are called, as principals have them.
func (e *examination) nodeHosts() []string {
	var out []string
	for _, n := range e.nodes {
		if host := strings.ToLower(n.ID.Host); !slices.Contains(out, host) {
			out = append(out, host)
		}
	}
	return out
}

// prove gets a ticket for the web server of a host and has the key table open it. Without a log-in there is nothing to try.
func (e *examination) prove(ctx context.Context, acceptor *krb.Acceptor, host string) error {
	if e.who.Login == nil {
		return nil
	}
	ctx, cancel := e.asking(ctx)
	defer cancel()
	header, err := e.who.Login.Authorization(ctx, host)
	if err != nil {
		return err
	}
	token, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, krb.Negotiate+" "))
	if err == nil {
		_, err = acceptor.Accept(token)
	}
	return err
}

// krb5Env is the environment with the krb5.conf that the configuration names.
func (e *examination) krb5Env(name string) string {
	if path := config.Get(e.Config, config.Krb5ConfPath); name == krb.EnvConfig && path != "" {
		return path
	}
	return e.Getenv(name)
}

// askWithTicket asks a page again that wants a ticket; the answer is the first one where there is none to show.
func (e *examination) askWithTicket(ctx context.Context, address, path string, first page) page {
	if e.who == nil || e.who.Login == nil {
		return first
	}
	ctx, cancel := context.WithTimeout(ctx, min(e.Patience, 5*time.Second))
	defer cancel()
	host, _, _ := strings.Cut(address, ":")
	header, err := e.who.Login.Authorization(ctx, host)
	if err != nil {
		return first
	}
	if again, err := e.web.ask(ctx, address, path, header, e.Now); err == nil {
		return again
	}
	return first
}
