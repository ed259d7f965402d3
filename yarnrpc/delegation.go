package yarnrpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// Renewer gives the principal that should renew an application's tokens, the ResourceManager's: it then renews them as long
// as the application runs. Empty on an insecure cluster.
func Renewer(conf *hadoopconf.Conf) (string, error) {
	if !conf.Secure() {
		return "", nil
	}
	const key = "yarn.resourcemanager.principal"
	principal := conf.Get(key)
	if principal == "" {
		return "", fmt.Errorf("hadoop configuration: %s is not set, and tokens need a renewer: set it to the ResourceManager's principal", key)
	}
	addrs, err := resourceManagers(conf, func(rm hadoopconf.ResourceManager) string { return rm.Client })
	if err != nil {
		return "", err
	}
	host, _, err := net.SplitHostPort(addrs[0])
	if err != nil {
		return "", fmt.Errorf("address of the ResourceManager: %w", err)
	}
	return strings.Replace(principal, "_HOST", strings.ToLower(host), 1), nil
}

// DelegationToken gets a token for the ResourceManager that the renewer (see Renewer) may renew. Only a connection with
// Kerberos, or an insecure cluster, gives one. With several ResourceManagers it is for all of them.
func (c *ClientRM) DelegationToken(ctx context.Context, renewer string) (token.Token, error) {
	var out commonpb.GetDelegationTokenResponse
	if err := c.issuer.Call(ctx, "getDelegationToken", &commonpb.GetDelegationTokenRequest{Renewer: &renewer}, &out); err != nil {
		return token.Token{}, err
	}
	if out.GetToken() == nil {
		return token.Token{}, errors.New("the ResourceManager gave no delegation token: security is off")
	}
	t := token.FromProto(out.GetToken())
	var services []string
	for _, addr := range c.addrs {
		s, err := c.conf.TokenService(ctx, addr)
		if err != nil {
			return token.Token{}, err
		}
		services = append(services, s)
	}
	t.Service = strings.Join(services, ",")
	return t, nil
}

// RenewDelegationToken extends a token's life and tells until when. Only its renewer may, with Kerberos.
func (c *ClientRM) RenewDelegationToken(ctx context.Context, t token.Token) (time.Time, error) {
	var out commonpb.RenewDelegationTokenResponse
	if err := c.issuer.Call(ctx, "renewDelegationToken", &commonpb.RenewDelegationTokenRequest{Token: t.Proto()}, &out); err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(int64(out.GetNewExpiryTime())), nil
}

// CancelDelegationToken makes a token useless. Its owner and its renewer may, with Kerberos.
func (c *ClientRM) CancelDelegationToken(ctx context.Context, t token.Token) error {
	return c.issuer.Call(ctx, "cancelDelegationToken", &commonpb.CancelDelegationTokenRequest{Token: t.Proto()}, &commonpb.CancelDelegationTokenResponse{})
}

// SetCredentials makes later calls use the ResourceManager's token among those given, in place of the one at hand. Without one
// nothing changes, and false is the answer.
func (c *ClientRM) SetCredentials(creds *token.Credentials) bool {
	t, ok := creds.Find(token.KindRMDelegation, "")
	if !ok {
		return false
	}
	sec := *c.proxy.Security()
	if sec.Token == nil || !sec.Token.Equal(t) {
		sec.Token = &t
		c.proxy.SetSecurity(&sec)
	}
	return true
}
