package hdfs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/sasl"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// lookupTimeout bounds the resolution of NameNode names, which token services need.
const lookupTimeout = 5 * time.Second

// fileSettings are how files are written and read.
type fileSettings struct {
	replication int
	blockSize   int64
	// socketTimeout bounds one read or write on a DataNode's connection.
	socketTimeout time.Duration
	// datanodeHostname dials DataNodes by name, not by address.
	datanodeHostname bool
	// protection are the levels for connections to DataNodes on a secured cluster, the preferred first; none is no negotiation.
	protection []sasl.QOP
}

func settings(conf *hadoopconf.Conf) (fileSettings, error) {
	var s fileSettings
	var errs [3]error
	s.replication, errs[0] = conf.GetInt("dfs.replication", 3)
	s.blockSize, errs[1] = conf.GetSize("dfs.blocksize", 128<<20)
	s.socketTimeout, errs[2] = conf.GetDuration("dfs.client.socket-timeout", time.Minute, time.Millisecond)
	if err := errors.Join(errs[:]...); err != nil {
		return s, err
	}
	if s.socketTimeout <= 0 {
		// Hadoop reads 0 as "without limit"; nothing that may hang for ever is offered here.
		s.socketTimeout = time.Minute
	}
	s.datanodeHostname = conf.GetBool("dfs.client.use.datanode.hostname", false)
	if text := conf.Get("dfs.data.transfer.protection"); text != "" && conf.Secure() {
		var err error
		if s.protection, err = sasl.ParseProtection(text); err != nil {
			return s, fmt.Errorf("hadoop configuration: dfs.data.transfer.protection: %w", err)
		}
	}
	return s, nil
}

// rpcOptions reads the limits of the NameNode's connection.
func rpcOptions(conf *hadoopconf.Conf, o Options) (rpc.Options, error) {
	r := rpc.Options{Log: o.Log}
	var errs [4]error
	r.ConnectTimeout, errs[0] = conf.GetDuration("ipc.client.connect.timeout", 20*time.Second, time.Millisecond)
	r.CallTimeout, errs[1] = conf.GetDuration("ipc.client.rpc-timeout.ms", 120*time.Second, time.Millisecond)
	r.PingInterval, errs[2] = conf.GetDuration("ipc.ping.interval", time.Minute, time.Millisecond)
	r.MaxFrame, errs[3] = conf.GetInt("ipc.maximum.response.length", 128<<20)
	if !conf.GetBool("ipc.client.ping", true) {
		r.PingInterval = -1
	}
	if r.ConnectTimeout <= 0 {
		r.ConnectTimeout = 20 * time.Second
	}
	if r.CallTimeout <= 0 {
		r.CallTimeout = 120 * time.Second
	}
	// One silent NameNode must not use up more than the time that it is waited for; below 5 s a busy one counts as silent.
	wait := max(o.RetryMaxWait, 5*time.Second)
	r.ConnectTimeout, r.CallTimeout = min(r.ConnectTimeout, wait), min(r.CallTimeout, wait)
	return r, errors.Join(errs[:]...)
}

// principalKey names the NameNode's principal.
const principalKey = "dfs.namenode.kerberos.principal"

// security builds the identity towards the NameNode.
func security(conf *hadoopconf.Conf, tok *token.Token, o Options) (*rpc.Security, error) {
	protection, err := sasl.ParseProtection(conf.Get("hadoop.rpc.protection"))
	if err != nil {
		return nil, fmt.Errorf("hadoop configuration: hadoop.rpc.protection: %w", err)
	}
	s := &rpc.Security{User: o.User, ProxyUser: o.ProxyUser, Token: tok, Protection: protection,
		RefuseSimple: conf.Secure() && !conf.GetBool("ipc.client.fallback-to-simple-auth-allowed", false)}
	if o.Kerberos != nil && conf.Secure() {
		s.Kerberos = o.Kerberos.Mechanism(krb.ServiceOf(conf.Get, principalKey, protection))
	}
	return s, nil
}

// delegationToken finds the token of this store: Hadoop names its service ha-hdfs:NAME for a logical name, else ip:port or
// host:port (hadoop.security.token.service.use_ip at the time it was issued).
func delegationToken(authority string, addrs []string, logical bool, creds *token.Credentials) *token.Token {
	if creds == nil || len(creds.OfKind(token.KindHDFSDelegation)) == 0 {
		return nil
	}
	var services []string
	if logical {
		services = append(services, "ha-hdfs:"+authority)
	}
	for _, addr := range addrs {
		services = append(services, addr)
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			continue
		}
		ctx, stop := context.WithTimeout(context.Background(), lookupTimeout)
		ips, _ := net.DefaultResolver.LookupHost(ctx, host) // without an answer the name itself has to match
		stop()
		for _, ip := range ips {
			services = append(services, net.JoinHostPort(ip, port))
		}
	}
	for _, s := range services {
		if t, ok := creds.Find(token.KindHDFSDelegation, s); ok {
			return &t
		}
	}
	return nil
}
