package hadoopconf

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// lookupTimeout bounds the resolution of a server's name.
const lookupTimeout = 5 * time.Second

// TokenService gives the service name of a token for the server at host:port, as Java makes it: "ip:port", or "host:port" in
// small letters where hadoop.security.token.service.use_ip is false.
func (c *Conf) TokenService(ctx context.Context, addr string) (string, error) {
	if !c.GetBool("hadoop.security.token.service.use_ip", true) {
		return strings.ToLower(addr), nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("address %q of a token: %w", addr, err)
	}
	if net.ParseIP(host) != nil {
		return addr, nil
	}
	ctx, stop := context.WithTimeout(ctx, lookupTimeout)
	defer stop()
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host)
	if err != nil {
		return "", fmt.Errorf("address %q of a token: %w", addr, err)
	}
	// Hadoop's daemons speak IPv4 unless told otherwise.
	for _, ip := range ips {
		if ip.To4() != nil {
			return net.JoinHostPort(ip.String(), port), nil
		}
	}
	return net.JoinHostPort(ips[0].String(), port), nil
}
