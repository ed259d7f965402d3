package token

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
)

// Kinds of tokens, as the services that issue them name them.
const (
	KindAMRM             = "YARN_AM_RM_TOKEN"
	KindNM               = "NMToken"
	KindContainer        = "ContainerToken"
	KindRMDelegation     = "RM_DELEGATION_TOKEN"
	KindHDFSDelegation   = "HDFS_DELEGATION_TOKEN"
	KindTimelineDelegate = "TIMELINE_DELEGATION_TOKEN"
)

// Token proves an identity to one kind of service. The password is a secret: String does not show it.
type Token struct {
	Identifier []byte
	Password   []byte
	// Kind names the issuer's token type, one of the constants above or another.
	Kind string
	// Service names the server it is for: "ip:port", "ha-hdfs:NAME", a list, or nothing.
	Service string
}

// String describes the token without its password.
func (t Token) String() string {
	return fmt.Sprintf("token of kind %s for service %q", t.Kind, t.Service)
}

// GoString keeps %#v from showing the password.
func (t Token) GoString() string { return t.String() }

// Equal tells whether both tokens are the same in every field.
func (t Token) Equal(o Token) bool {
	return t.Kind == o.Kind && t.Service == o.Service && bytes.Equal(t.Identifier, o.Identifier) && bytes.Equal(t.Password, o.Password)
}

// FromProto takes a token out of an RPC message; nil gives the zero token.
func FromProto(p *commonpb.Token) Token {
	return Token{Identifier: p.GetIdentifier(), Password: p.GetPassword(), Kind: p.GetKind(), Service: p.GetService()}
}

// Proto makes the RPC message.
func (t Token) Proto() *commonpb.Token {
	return &commonpb.Token{Identifier: nonNil(t.Identifier), Password: nonNil(t.Password), Kind: &t.Kind, Service: &t.Service}
}

// nonNil makes the required bytes fields of a message present even when empty.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Credentials are tokens and secrets by alias. The zero value is empty and ready. It is not safe for concurrent use.
type Credentials struct {
	tokens  map[string]Token
	secrets map[string][]byte
}

// Add stores a token under an alias (Hadoop uses the service), replacing the one before.
func (c *Credentials) Add(alias string, t Token) {
	if c.tokens == nil {
		c.tokens = map[string]Token{}
	}
	c.tokens[alias] = t
}

// AddSecret stores a secret under an alias, replacing the one before.
func (c *Credentials) AddSecret(alias string, secret []byte) {
	if c.secrets == nil {
		c.secrets = map[string][]byte{}
	}
	c.secrets[alias] = secret
}

// Token gives the token stored under alias.
func (c *Credentials) Token(alias string) (Token, bool) {
	t, ok := c.tokens[alias]
	return t, ok
}

// Secret gives the secret stored under alias.
func (c *Credentials) Secret(alias string) ([]byte, bool) {
	s, ok := c.secrets[alias]
	return s, ok
}

// Aliases lists the tokens' aliases, sorted.
func (c *Credentials) Aliases() []string { return slices.Sorted(maps.Keys(c.tokens)) }

// SecretAliases lists the secrets' aliases, sorted.
func (c *Credentials) SecretAliases() []string { return slices.Sorted(maps.Keys(c.secrets)) }

// Find gives the token of a kind. An empty service matches any: the AMRM token is found this way, for its service is empty in
// the file. With several matches the first by alias is taken.
func (c *Credentials) Find(kind, service string) (Token, bool) {
	for _, alias := range c.Aliases() {
		if t := c.tokens[alias]; t.Kind == kind && (service == "" || t.Service == service) {
			return t, true
		}
	}
	return Token{}, false
}

// OfKind lists all tokens of a kind, by alias.
func (c *Credentials) OfKind(kind string) []Token {
	var out []Token
	for _, alias := range c.Aliases() {
		if t := c.tokens[alias]; t.Kind == kind {
			out = append(out, t)
		}
	}
	return out
}

// Without gives a copy that lacks the tokens of the given kinds. An ApplicationMaster strips KindAMRM before it hands its
// credentials to other containers.
func (c *Credentials) Without(kinds ...string) *Credentials {
	out := &Credentials{}
	for alias, t := range c.tokens {
		if !slices.Contains(kinds, t.Kind) {
			out.Add(alias, t)
		}
	}
	for alias, s := range c.secrets {
		out.AddSecret(alias, s)
	}
	return out
}

// AddAll stores everything of o, replacing equal aliases.
func (c *Credentials) AddAll(o *Credentials) {
	for alias, t := range o.tokens {
		c.Add(alias, t)
	}
	for alias, s := range o.secrets {
		c.AddSecret(alias, s)
	}
}

// String names what there is without showing a secret.
func (c *Credentials) String() string {
	return fmt.Sprintf("credentials with tokens %q and secrets %q", c.Aliases(), c.SecretAliases())
}

// GoString keeps %#v from showing secrets.
func (c *Credentials) GoString() string { return c.String() }

// Len counts tokens and secrets.
func (c *Credentials) Len() int { return len(c.tokens) + len(c.secrets) }
