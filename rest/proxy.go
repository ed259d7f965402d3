package rest

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// LookupFunc resolves a host name.
type LookupFunc func(ctx context.Context, host string) ([]netip.Addr, error)

const (
	// proxyLifetime is how long resolved addresses are believed, as Hadoop's AmIpFilter does.
	proxyLifetime = 5 * time.Minute
	// proxyRetry bounds how often an unknown peer can make us ask the resolver.
	proxyRetry   = 30 * time.Second
	proxyTimeout = 3 * time.Second
)

// proxyHosts knows the addresses of YARN's web proxy.
type proxyHosts struct {
	hosts  []string
	lookup LookupFunc
	log    *slog.Logger
	now    func() time.Time

	mu       sync.Mutex
	addrs    map[netip.Addr]bool
	resolved time.Time
}

func newProxyHosts(hosts []string, lookup LookupFunc, log *slog.Logger) *proxyHosts {
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	p := &proxyHosts{lookup: lookup, log: log, now: time.Now}
	for _, h := range hosts {
		if h = hostOnly(h); h != "" {
			p.hosts = append(p.hosts, h)
		}
	}
	return p
}

// hostOnly strips a port and the brackets of an IPv6 address.
func hostOnly(s string) string {
	s = strings.TrimSpace(s)
	if host, _, err := net.SplitHostPort(s); err == nil {
		return host
	}
	return strings.Trim(s, "[]")
}

// contains tells whether a peer is a proxy. Names are resolved at the first use, again after proxyLifetime, and (an
// address may have moved) when the peer is unknown, at most every proxyRetry.
func (p *proxyHosts) contains(ctx context.Context, peer netip.Addr) bool {
	if p == nil || len(p.hosts) == 0 || !peer.IsValid() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	age := p.now().Sub(p.resolved)
	known := p.addrs[peer]
	if p.addrs == nil || age > proxyLifetime || (!known && age > proxyRetry) {
		p.resolve(ctx)
		known = p.addrs[peer]
	}
	return known
}

// resolve looks all hosts up; of a host that cannot be resolved nothing is believed. REQUIRES: mu is held.
func (p *proxyHosts) resolve(ctx context.Context) {
	// The request that happens to ask may be gone soon; the answer is for all.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), proxyTimeout)
	defer cancel()
	addrs := map[netip.Addr]bool{}
	for _, host := range p.hosts {
		if a, err := netip.ParseAddr(host); err == nil {
			addrs[a.Unmap().WithZone("")] = true
			continue
		}
		found, err := p.lookup(ctx, host)
		if err != nil {
			p.log.Warn("cannot resolve the host of YARN's web proxy; pages cannot be read through it", "host", host, "error", err)
			continue
		}
		for _, a := range found {
			addrs[a.Unmap().WithZone("")] = true
		}
	}
	p.addrs, p.resolved = addrs, p.now()
}
