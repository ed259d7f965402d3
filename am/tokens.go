package am

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/yarnrpc"
)

// logIn opens the application's stores, which it uses by token alone, and logs in with the key table where there is one, to get
// new tokens.
func (a *application) logIn() (err error) {
	a.who = identity.New(a.manifest.User, a.creds.Without(token.KindAMRM))
	if a.files, err = a.OpenFiles(a.hadoop, a.who, a.Log); err != nil {
		return err
	}
	if config.Get(a.config, config.KerberosKeytab) == "" || !a.hadoop.Secure() || !config.Get(a.config, config.DelegationTokens) {
		return nil
	}
	own := &identity.Identity{}
	own.Login, err = krb.Open(krb.Options{Keytab: a.localKeytab(), Principal: config.Get(a.config, config.KerberosPrincipal), Getenv: a.kerberosEnv, Log: a.Log})
	if err == nil {
		own.User, err = own.Login.User(a.hadoop.Get)
	}
	if err != nil {
		return fmt.Errorf("log in with the key table: %w", err)
	}
	if own.User != a.manifest.User {
		own.ProxyUser = a.manifest.User // for whom the tokens are
	}
	a.own = own
	if a.issuers, err = a.OpenFiles(a.hadoop, own, a.Log); err != nil {
		return err
	}
	// One attempt each: tokens are asked for again anyway.
	a.rm, err = yarnrpc.NewClientRM(a.hadoop, yarnrpc.Options{User: own.User, ProxyUser: own.ProxyUser, Kerberos: own.Login, Retry: &rpc.Retry{}, Log: a.Log})
	return err
}

// collect gets new tokens, of the stores and of the ResourceManager, which we renew ourselves: it does not know them. Servers take a call
// of one who acts for another as that other's: he must be the renewer.
func (a *application) collect(ctx context.Context, must, may []string) ([]identity.Held, error) {
	skipped := func(err error) { a.Log.Warn("no delegation token", "error", err) }
	held, err := identity.CollectAll(ctx, a.issuers, must, may, a.own.Effective(), nil, skipped)
	if err != nil || len(held) == 0 {
		return nil, err
	}
	t, err := a.rm.DelegationToken(ctx, a.own.Effective())
	if err != nil {
		skipped(fmt.Errorf("ResourceManager: %w", err)) // jobs need none of it
		return held, ctx.Err()
	}
	return append(held, identity.Held{Token: t, Issuer: a.rm}), nil
}

// newTokenKeeper makes the keeper; nil on a cluster without Kerberos.
func (a *application) newTokenKeeper(handOn func(*token.Credentials)) (*identity.Keeper, error) {
	if !a.hadoop.Secure() {
		return nil, nil
	}
	k := &identity.Keeper{Who: a.who, HandOn: handOn, Now: time.Now, Log: a.Log,
		Ratio: config.Get(a.config, config.TokenRenewalRatio), Backoff: config.Get(a.config, config.TokenRenewalBackoff)}
	end, err := identity.Ends(a.who.Credentials(), token.KindHDFSDelegation)
	if err != nil {
		return nil, fmt.Errorf("delegation tokens: %w", err)
	}
	// Until now the ResourceManager renews them.
	k.Lives(end)
	if a.own == nil {
		return k, nil
	}
	must := identity.Stores(a.hadoop.Get("fs.defaultFS"), a.manifest.Base, config.Get(a.config, config.KerberosFileSystems))
	may := identity.Stores(slices.Collect(maps.Values(a.config.Map()))...)
	k.Collect = func(ctx context.Context) ([]identity.Held, error) {
		return a.collect(ctx, must, may)
	}
	return k, nil
}
