package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/sasl"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// Interfaces of the servers, for the handshake.
const (
	resourceManagerProtocol = "org.apache.hadoop.yarn.api.ApplicationClientProtocolPB"
	nameNodeProtocol        = "org.apache.hadoop.hdfs.protocol.ClientProtocol"
	nodeManagerProtocol     = "org.apache.hadoop.yarn.api.ContainerManagementProtocolPB"
)

// levels are Hadoop's words for what SASL calls otherwise (hadoop.rpc.protection).
var levels = map[sasl.QOP]string{sasl.Auth: "authentication only", sasl.AuthInt: "integrity", sasl.AuthConf: "privacy"}

// server is one to shake hands with.
type server struct {
	name, address, protocol string
	// principalKey names its principal in the Hadoop configuration; empty for one that takes tokens only.
	principalKey string
	// token is the kind of delegation token that it takes.
	token string
	// setting is where its address comes from, for the advice.
	setting string
}

// servers shakes hands with each ResourceManager and NameNode. NodeManagers come with the list of nodes.
func (e *examination) servers(ctx context.Context) bool {
	var list []server
	if rms, err := e.hadoop.ResourceManagers(); err == nil {
		for _, rm := range rms {
			list = append(list, server{"ResourceManager", rm.Client, resourceManagerProtocol, "yarn.resourcemanager.principal", token.KindRMDelegation, "yarn.resourcemanager.address"})
		}
	}
	for _, address := range e.nameNodes() {
		list = append(list, server{"NameNode", address, nameNodeProtocol, "dfs.namenode.kerberos.principal", token.KindHDFSDelegation, "fs.defaultFS"})
	}
	for _, s := range list {
		before := e.report.Problems
		e.shake(ctx, s)
		// One of a pair is enough.
		e.spoken[s.name] = e.spoken[s.name] || e.report.Problems == before
	}
	return true
}

// shake asks one server what it wants, and does it.
func (e *examination) shake(ctx context.Context, s server) {
	offered, ok := e.offers(ctx, s)
	if !ok {
		return
	}
	var methods []string
	for _, o := range offered {
		methods = append(methods, strings.TrimSpace(o.Method+" "+o.Mechanism))
	}
	said := strings.Join(methods, ", ")
	takes := func(method string) bool {
		return slices.ContainsFunc(offered, func(o rpc.Offer) bool { return o.Method == method })
	}
	switch {
	case s.principalKey == "":
		if !takes(rpc.MethodToken) && !takes(rpc.MethodSimple) {
			e.warn(s.name, "", "%s takes %s, expected the tokens of containers", s.address, said)
			return
		}
		e.ok(s.name, "%s answers; it takes %s, as the JobManager will come with", s.address, said)
	case !e.hadoop.Secure() && !takes(rpc.MethodSimple):
		e.wrong(CauseSettings, s.name, "take the configuration files of the cluster (hadoop.security.authentication)",
			"%s takes %s only, but this configuration is that of a cluster without Kerberos", s.address, said)
	case !e.hadoop.Secure():
		e.ok(s.name, "%s: SIMPLE, without protection: the cluster believes the name it is told", s.address)
	case !takes(rpc.MethodKerberos) && !takes(rpc.MethodToken):
		e.wrong(CauseSettings, s.name, "is this the right server? nothing is sent to one that does not prove itself",
			"%s takes %s and no Kerberos, but this cluster is configured as secured", s.address, said)
	default:
		e.authenticate(ctx, s)
	}
}

// offers connects and asks for the server's ways to authenticate.
func (e *examination) offers(ctx context.Context, s server) ([]rpc.Offer, bool) {
	ctx, cancel := e.asking(ctx)
	defer cancel()
	nc, err := e.Dial(ctx, "tcp", s.address)
	if err != nil {
		mend := "is it running, and does " + s.setting + " name its host and port?"
		if ctx.Err() != nil {
			err, mend = context.Cause(ctx), "is a firewall between this machine and it?"
		}
		e.wrong(CauseUnreachable, s.name, mend, "%s does not answer: %v", s.address, dialReason(err))
		return nil, false
	}
	offered, err := rpc.Offers(ctx, nc)
	if err != nil && ctx.Err() != nil {
		e.wrong(CauseUnreachable, s.name, "look into its log: is it overloaded, or is another service at this address?", "%s takes connections, but gives %v", s.address, context.Cause(ctx))
		return nil, false
	}
	if err != nil {
		e.wrong(CauseSettings, s.name, "does "+s.setting+" name the port for RPC, not that of the web pages or of another service?",
			"%s is reached, but does not speak Hadoop RPC: %v", s.address, err)
		return nil, false
	}
	return offered, true
}

// dialReason leaves out of a failed connection what the finding says itself.
func dialReason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}

// authenticate opens a connection with Kerberos and tells what was agreed on.
func (e *examination) authenticate(ctx context.Context, s server) {
	session, err := e.session(ctx, s)
	switch {
	case errors.Is(err, krb.ErrUnreachable):
		e.wrong(CauseUnreachable, s.name, "", "%s: %v", s.address, rootCause(err))
		return
	case errors.Is(err, krb.ErrSkew), errors.Is(err, krb.ErrNotTaken):
		e.wrong(CauseSettings, s.name, "", "%s: %v", s.address, rootCause(err))
		return
	case err != nil:
		e.wrong(CauseSettings, s.name, "compare "+s.principalKey+" and hadoop.rpc.protection with the server's configuration", "%s: %v", s.address, err)
		return
	}
	e.ok(s.name, "%s: %s %s, protection %s (%s)", s.address, session.Method, session.Mechanism, session.QOP, levels[session.QOP])
}

func (e *examination) session(ctx context.Context, s server) (rpc.Session, error) {
	protection, err := sasl.ParseProtection(e.hadoop.Get("hadoop.rpc.protection"))
	if err != nil {
		return rpc.Session{}, fmt.Errorf("hadoop.rpc.protection: %w", err)
	}
	ctx, cancel := e.asking(ctx)
	defer cancel()
	nc, err := e.Dial(ctx, "tcp", s.address)
	if err != nil {
		return rpc.Session{}, dialReason(err)
	}
	sec := &rpc.Security{RefuseSimple: true, Protection: protection, ProxyUser: e.who.ProxyUser}
	if e.who.Login != nil {
		sec.Kerberos = e.who.Login.Mechanism(krb.ServiceOf(e.hadoop.Get, s.principalKey, protection))
	} else if creds := e.who.Credentials(); creds != nil {
		for _, t := range creds.OfKind(s.token) {
			sec.Token = &t
		}
	}
	c, err := rpc.Open(ctx, nc, s.address, s.protocol, sec)
	if err != nil {
		return rpc.Session{}, err
	}
	return c.Session(), c.Close()
}
