package hdfs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// identity is who the store is towards the NameNode, and how that may change.
type identity struct {
	conf      *hadoopconf.Conf
	authority string
	addrs     []string
	logical   bool
	// issuer makes the calls about tokens: a NameNode takes none of them from one who came with a token.
	issuer *rpc.Proxy
}

// DelegationToken gets a token for this store, which the renewer (a principal, mostly the ResourceManager's) may renew. The
// store must have a Kerberos login, or its cluster be an insecure one that gives tokens.
func (f *FS) DelegationToken(ctx context.Context, renewer string) (token.Token, error) {
	var resp commonpb.GetDelegationTokenResponse
	if err := f.issue(ctx, "getDelegationToken", &commonpb.GetDelegationTokenRequest{Renewer: &renewer}, &resp); err != nil {
		return token.Token{}, err
	}
	if resp.GetToken() == nil {
		return token.Token{}, fmt.Errorf("%s: the NameNode gives no delegation token: security is off", f.uri)
	}
	t := token.FromProto(resp.GetToken())
	if f.identity.logical {
		t.Service = "ha-hdfs:" + f.identity.authority
		return t, nil
	}
	var err error
	t.Service, err = f.identity.conf.TokenService(ctx, f.identity.addrs[0])
	return t, err
}

// RenewDelegationToken extends a token's life and tells until when. Only its renewer may, with Kerberos.
func (f *FS) RenewDelegationToken(ctx context.Context, t token.Token) (time.Time, error) {
	var resp commonpb.RenewDelegationTokenResponse
	if err := f.issue(ctx, "renewDelegationToken", &commonpb.RenewDelegationTokenRequest{Token: t.Proto()}, &resp); err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(int64(resp.GetNewExpiryTime())), nil
}

// CancelDelegationToken makes a token useless. Its owner and its renewer may, with Kerberos.
func (f *FS) CancelDelegationToken(ctx context.Context, t token.Token) error {
	return f.issue(ctx, "cancelDelegationToken", &commonpb.CancelDelegationTokenRequest{Token: t.Proto()}, &commonpb.CancelDelegationTokenResponse{})
}

// issue makes one call about tokens.
func (f *FS) issue(ctx context.Context, method string, req, resp proto.Message) error {
	err := f.identity.issuer.Call(ctx, method, req, resp)
	if errors.Is(err, rpc.ErrInvalidToken) {
		return fmt.Errorf("delegation token of %s: %w", f.uri, err)
	}
	return err
}

// SetCredentials makes later calls use the tokens given, in place of those at hand: a process that lives longer than a token
// gets the next one this way. Without a token for this store among them nothing changes, and false is the answer.
func (f *FS) SetCredentials(creds *token.Credentials) bool {
	id := f.identity
	tok := delegationToken(id.authority, id.addrs, id.logical, creds)
	if tok == nil {
		return false
	}
	sec := *f.proxy.Security()
	if sec.Token != nil && sec.Token.Equal(*tok) {
		return true
	}
	sec.Token = tok
	f.proxy.SetSecurity(&sec)
	return true
}
