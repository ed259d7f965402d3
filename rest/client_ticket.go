package rest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// negotiate is the scheme of Kerberos tickets in HTTP (SPNEGO).
const negotiate = "Negotiate"

// tickets is the client's way to show who it is where it has no token that is accepted.
type tickets struct {
	host string
	make func(ctx context.Context, host string) (string, error)
	// asked tells that the server has asked for a ticket.
	asked atomic.Bool
	// known tells that the server has answered: it will not ask any more.
	known atomic.Bool
}

// wanted tells whether requests need a ticket.
func (t *tickets) wanted() bool { return t.make != nil && t.asked.Load() }

// offered notes a server's wish for a ticket; true tells that the request is worth another attempt with one.
func (t *tickets) offered(answer *http.Response) bool {
	if answer.StatusCode != http.StatusUnauthorized || t.make == nil || t.asked.Load() {
		return false
	}
	for _, offer := range answer.Header.Values("WWW-Authenticate") {
		if word, _, _ := strings.Cut(offer, " "); strings.EqualFold(word, negotiate) {
			t.asked.Store(true)
			return true
		}
	}
	return false
}

// send sends a request with the token, or with a ticket where the server asks for one: then make is called again, as a body can be
// read once only.
func (c *Client) send(ctx context.Context, make func() (*http.Request, error)) (*http.Response, error) {
	for {
		request, err := make()
		if err != nil {
			return nil, err
		}
		switch {
		case c.tickets.wanted():
			header, err := c.tickets.make(ctx, c.tickets.host)
			if err != nil {
				return nil, fmt.Errorf("the JobManager at %s asks for a Kerberos ticket: %w", c.address, err)
			}
			request.Header.Set("Authorization", header)
		case c.token != "":
			request.Header.Set("Authorization", "Bearer "+c.token)
		}
		response, err := c.http.Do(request)
		if err != nil {
			return nil, c.unreachable(err)
		}
		again := c.tickets.offered(response)
		c.tickets.known.Store(true)
		if !again {
			return response, nil
		}
		response.Body.Close()
	}
}

// greet sends a small request before one whose body could be cut off by a refusal, to learn whether the server asks for a ticket.
func (c *Client) greet(ctx context.Context) {
	if c.tickets.make == nil || c.tickets.known.Load() {
		return
	}
	// An error will be that of the request itself.
	_, _ = c.do(ctx, http.MethodGet, "/weft/cluster", nil)
}
