package krb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	// askTimeout bounds a question to all KDCs of a realm, kdcTimeout and leastTimeout one try with one of them. Who waits for a
	// command is told within seconds that nobody answers.
	askTimeout   = 12 * time.Second
	kdcTimeout   = 5 * time.Second
	leastTimeout = time.Second
	// maxReply bounds a KDC's answer; tickets with many groups have tens of KiB.
	maxReply = 1 << 20
	kdcPort  = 88
)

// kdcsOf gives host:port of a realm's KDCs.
func (c *Config) kdcsOf(ctx context.Context, realm string) ([]string, error) {
	var out []string
	for _, kdc := range c.kdcs[realm] {
		// Proxies over HTTPS (https://…) and "tcp/host" forms are Microsoft's and Heimdal's.
		kdc = strings.TrimPrefix(strings.TrimPrefix(kdc, "tcp/"), "udp/")
		if strings.Contains(kdc, "://") {
			continue
		}
		if _, _, err := net.SplitHostPort(kdc); err != nil {
			kdc = net.JoinHostPort(strings.Trim(kdc, "[]"), strconv.Itoa(kdcPort))
		}
		out = append(out, kdc)
	}
	if len(out) == 0 && c.LookupKDC && strings.Contains(realm, ".") {
		lookup, stop := context.WithTimeout(ctx, kdcTimeout)
		defer stop()
		_, records, _ := net.DefaultResolver.LookupSRV(lookup, "kerberos", "tcp", realm) // no answer and none found are alike here
		for _, r := range records {
			out = append(out, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
		}
		return out, ctx.Err()
	}
	return out, nil
}

// ask sends a request to one of a realm's KDCs, over TCP, and gives the answer. KDCs are tried in their order.
func (l *Login) ask(ctx context.Context, realm string, request []byte) ([]byte, error) {
	kdcs, err := l.config.kdcsOf(ctx, realm)
	if err != nil {
		return nil, err
	}
	if len(kdcs) == 0 {
		return nil, fmt.Errorf("%w: %s names no KDC of realm %s: add kdc = HOST to it in the section [realms]",
			ErrConfig, strings.Join(l.config.Files, ", "), realm)
	}
	each := share(len(kdcs))
	began := time.Now()
	var failed []string
	for _, addr := range kdcs {
		if left := askTimeout - time.Since(began); left < leastTimeout/2 {
			failed = append(failed, fmt.Sprintf("%s: not asked any more after %v", addr, askTimeout))
			continue
		}
		reply, err := roundTrip(ctx, addr, request, each)
		if err == nil {
			return reply, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		failed = append(failed, fmt.Sprintf("%s: %v", addr, err))
	}
	return nil, fmt.Errorf("%w: realm %s, for %s (%s): check [realms] in %s, the network, and whether the KDC runs",
		ErrUnreachable, realm, l.Principal(), strings.Join(failed, "; "), strings.Join(l.config.Files, ", "))
}

// share is how long each of several KDCs may take, so that the last is asked too.
func share(kdcs int) time.Duration {
	return min(max(askTimeout/time.Duration(kdcs), leastTimeout), kdcTimeout)
}

func roundTrip(ctx context.Context, addr string, request []byte, limit time.Duration) ([]byte, error) {
	ctx, stop := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer for %v", limit))
	defer stop()
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var op *net.OpError
		if errors.As(err, &op) {
			return nil, op.Err
		}
		return nil, err
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })()
	reply, err := exchange(nc, request)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return reply, err
}

// exchange writes one message and reads one, each with its length in front.
func exchange(nc net.Conn, request []byte) ([]byte, error) {
	if _, err := nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(request))), request...)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(nc, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxReply {
		return nil, fmt.Errorf("an answer of %d bytes, expected at most %d", n, maxReply)
	}
	reply := make([]byte, n)
	_, err := io.ReadFull(nc, reply)
	return reply, err
}

// nonce is a number that a KDC's answer has to repeat.
func nonce() int { return int(rand.Int32()) }
