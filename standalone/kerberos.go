package standalone

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/weft-project/weft/config"
	weftfs "github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security/identity"
)

// firstTokens bounds how long the JobManager waits for its first delegation tokens: who starts it is waiting too.
const firstTokens = 20 * time.Second

// kerberosSetting gives the settings by which one logs in.
func (o *Options) kerberosSetting(key string) string {
	switch key {
	case krb.KeyKeytab:
		return config.Get(o.Config, config.KerberosKeytab)
	case krb.KeyPrincipal:
		return config.Get(o.Config, config.KerberosPrincipal)
	case krb.KeyUseCache:
		return strconv.FormatBool(config.Get(o.Config, config.KerberosTicketCache))
	}
	return ""
}

// kerberosEnv is the environment with the krb5.conf that the configuration names.
func (o *Options) kerberosEnv(name string) string {
	if path := config.Get(o.Config, config.Krb5ConfPath); name == krb.EnvConfig && path != "" {
		return path
	}
	return o.Getenv(name)
}

// logIn finds out who the JobManager is towards HDFS. On a secured cluster it needs a key table, a ticket or tokens, and says so at once.
func (o *Options) logIn(ctx context.Context, conf *hadoopconf.Conf) (*identity.Identity, error) {
	if !conf.Secure() {
		return identity.New(o.userName(), nil), nil
	}
	who, err := identity.FromEnvironment(conf, identity.Source{Setting: o.kerberosSetting, Getenv: o.Getenv,
		Krb5Conf: config.Get(o.Config, config.Krb5ConfPath), Log: o.Log})
	if err == nil {
		err = who.Check(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (the Hadoop configuration, %s, is that of a cluster with Kerberos)", err, conf.Source("hadoop.security.authentication"))
	}
	if who.Ignored != "" {
		o.Log.Warn("HADOOP_USER_NAME is ignored: the cluster is secured with Kerberos", "user", who.User)
	}
	if who.Login != nil {
		o.Log.Info("logged in", "principal", who.Login.Principal().String(), "by", who.Login.Source(), "user", who.Effective())
	}
	return who, nil
}

// logInWorker finds out who a TaskManager is towards HDFS. It may have a log-in of its own; without one it does with the tokens that the
// JobManager sends, as its workers do in any case.
func (o *Options) logInWorker(ctx context.Context, conf *hadoopconf.Conf) (*identity.Identity, error) {
	who, err := o.logIn(ctx, conf)
	if !errors.Is(err, krb.ErrNoTicket) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return who, err
	}
	o.Log.Info("no log-in of its own: HDFS is used with the JobManager's tokens", "reason", err)
	name := o.userName()
	if text := o.kerberosSetting(krb.KeyPrincipal); text != "" {
		if name, err = identity.ShortName(conf, text, o.kerberosEnv); err != nil {
			return nil, fmt.Errorf("%s: %w", config.KerberosPrincipal.Key, err)
		}
	}
	return identity.New(name, nil), nil
}

// newKeeper makes what gets delegation tokens for all processes of the cluster, and gets the first; nil where there is no Kerberos.
func (o *Options) newKeeper(ctx context.Context, conf *hadoopconf.Conf, who *identity.Identity, files *weftfs.Registry, handOn func([]byte)) (*identity.Keeper, error) {
	if !conf.Secure() {
		return nil, nil
	}
	// The JobManager itself goes on with its ticket; these tokens are for the others.
	k := &identity.Keeper{Who: identity.New(who.Effective(), who.Credentials()), Now: time.Now, Log: o.Log, HandOn: func(c *token.Credentials) { handOn(c.Without(token.KindRMDelegation).Marshal()) },
		Ratio: config.Get(o.Config, config.TokenRenewalRatio), Backoff: config.Get(o.Config, config.TokenRenewalBackoff)}
	if have := who.Credentials(); have != nil {
		end, err := identity.Ends(have, token.KindHDFSDelegation)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", token.EnvFile, err)
		}
		k.Lives(end)
		k.HandOn(have)
	}
	must := identity.Stores(conf.Get("fs.defaultFS"), config.Get(o.Config, config.KerberosFileSystems))
	may := identity.Stores(slices.Collect(maps.Values(o.Config.Map()))...)
	if who.Login == nil || !config.Get(o.Config, config.DelegationTokens) || len(must)+len(may) == 0 {
		return k, nil
	}
	k.Collect = func(ctx context.Context) ([]identity.Held, error) {
		return identity.CollectAll(ctx, files, must, may, who.Effective(), nil, func(err error) { o.Log.Warn("no delegation token", "error", err) })
	}
	ctx, cancel := context.WithTimeoutCause(ctx, firstTokens, fmt.Errorf("no answer within %v", firstTokens))
	defer cancel()
	if err := k.Refresh(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// keep renews the ticket of a log-in, and the tokens, until ctx ends.
func (o *Options) keep(ctx context.Context, who *identity.Identity, k *identity.Keeper) {
	if who.Login != nil {
		go who.Login.Keep(ctx, func(err error) { o.Log.Warn("the Kerberos ticket could not be renewed", "error", err) })
	}
	if k != nil {
		go k.Run(ctx)
	}
}
