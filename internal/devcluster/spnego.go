package devcluster

import (
	"fmt"
	"net/http"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

// spnegoTransport proves to the daemons' web servers who asks: the superuser.
type spnegoTransport struct {
	client *client.Client
}

// RoundTrip is http.RoundTripper's.
func (t *spnegoTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if err := spnego.SetSPNEGOHeader(t.client, req, "HTTP/"+req.URL.Hostname()); err != nil {
		return nil, fmt.Errorf("kerberos ticket for %s: %w", req.URL.Hostname(), err)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// httpAs gives the client for the daemons' web servers; a timeout of 0 is none.
func (c *Cluster) httpAs(timeout time.Duration) (*http.Client, error) {
	if c.state.Kerberos == nil {
		return &http.Client{Timeout: timeout}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.spnego == nil {
		conf, err := config.Load(c.Krb5Conf())
		if err != nil {
			return nil, fmt.Errorf("devcluster: %w", err)
		}
		kt, err := keytab.Load(c.Keytab(superuser))
		if err != nil {
			return nil, fmt.Errorf("devcluster: %w", err)
		}
		c.mu.spnego = &spnegoTransport{client.NewWithKeytab(superuser, Realm, kt, conf, client.DisablePAFXFAST(true))}
	}
	return &http.Client{Timeout: timeout, Transport: c.mu.spnego}, nil
}
