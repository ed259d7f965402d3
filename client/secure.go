package client

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/yarnrpc"
)

// kerberosSetting gives the settings by which one logs in.
func (c *Client) kerberosSetting(key string) string {
	switch key {
	case krb.KeyKeytab:
		return config.Get(c.Config, config.KerberosKeytab)
	case krb.KeyPrincipal:
		return config.Get(c.Config, config.KerberosPrincipal)
	case krb.KeyUseCache:
		return strconv.FormatBool(config.Get(c.Config, config.KerberosTicketCache))
	}
	return ""
}

// identity is who we are towards Hadoop, found out at the first call. On a secured cluster it fails where there is neither a
// ticket, nor a key table, nor a file with tokens.
func (c *Client) identity() (*identity.Identity, error) {
	conf, err := c.Hadoop()
	if err != nil {
		return nil, err
	}
	return c.identityOn(conf)
}

// identityOn is identity with a Hadoop configuration at hand.
func (c *Client) identityOn(conf *hadoopconf.Conf) (*identity.Identity, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.who != nil {
		return c.who, nil
	}
	who, err := identity.FromEnvironment(conf, identity.Source{Setting: c.kerberosSetting, Getenv: c.Getenv,
		Krb5Conf: config.Get(c.Config, config.Krb5ConfPath), Log: c.Log})
	if err != nil {
		return nil, explainLogin(err)
	}
	if who.Ignored != "" {
		c.Console.Say("Note: HADOOP_USER_NAME=%s is ignored: the cluster is secured with Kerberos, and you are %s", who.Ignored, who.User)
	}
	c.who = who
	return who, nil
}

// logIn sees to it that this command may speak to the cluster: on a secured one it needs a ticket that lasts, or tokens. It says
// so before anything else is tried. Without a Hadoop configuration there is no secured cluster to speak of.
func (c *Client) logIn(ctx context.Context) error {
	conf, err := c.Hadoop()
	if errors.Is(err, hadoopconf.ErrNoConfiguration) || err == nil && !conf.Secure() {
		return nil
	}
	if err != nil {
		return err
	}
	who, err := c.identityOn(conf)
	if err != nil {
		return err
	}
	return explainLogin(who.Check(ctx))
}

// explainLogin gives a log-in that failed its exit code; its sentence names the principal and the next step.
func explainLogin(err error) error {
	switch login, kdcAway := identity.IsLogin(err); {
	case kdcAway:
		return &Failure{ExitUnreachable, err}
	case login:
		return &Failure{ExitUsage, err}
	}
	return err
}

// loginFailure recognises what a server does not take us for, whatever was asked of it: a log-in that failed, a token that is of
// no use any more, or neither. Nil is for other errors.
func loginFailure(err error) error {
	if login, _ := identity.IsLogin(err); login {
		return explainLogin(err)
	}
	if errors.Is(err, rpc.ErrInvalidToken) {
		return usage("%w (%s names tokens that are of no use any more: have it name newer ones, or run kinit and unset it)", err, token.EnvFile)
	}
	if errors.Is(err, rpc.ErrHandshake) {
		return usage("%w (run kinit, or have %s name a file with a token for that server)", err, token.EnvFile)
	}
	return nil
}

// authorization proves to web servers of a secured cluster who we are; nil where there is no ticket, or none is needed.
func (c *Client) authorization() func(ctx context.Context, host string) (string, error) {
	conf, err := c.Hadoop()
	if err != nil || !conf.Secure() {
		return nil
	}
	who, err := c.identityOn(conf)
	if err != nil || who.Login == nil {
		return nil
	}
	return who.Login.Authorization
}

// user is User where the identity is known already.
func (c *Client) user() string {
	if who, err := c.identity(); err == nil {
		return who.Effective()
	}
	return c.localUser()
}

// noteOwner says as whom a job will run in a session of somebody else; foreign tells that it is one.
func (s *Session) noteOwner(ctx context.Context) (foreign bool) {
	cluster, err := s.rest.Cluster(ctx)
	if me := s.client.user(); err == nil && cluster.User != "" && cluster.User != me {
		s.client.Console.Say("Note: submitting to a session means running as its owner: this job runs as %s, with all that %s may do in HDFS, not as %s", cluster.User, cluster.User, me)
		return true
	}
	return false
}

// tokens gets the delegation tokens that the application needs; nil on a cluster that has none.
func (d *deployment) tokens(ctx context.Context) (*token.Credentials, error) {
	who, err := d.client.identity()
	if err != nil {
		return nil, err
	}
	if !d.conf.Secure() {
		return who.Credentials(), nil
	}
	all := &token.Credentials{}
	if have := who.Credentials(); have != nil {
		all.AddAll(have)
		d.brought = len(have.OfKind(token.KindHDFSDelegation))+len(have.OfKind(token.KindRMDelegation)) > 0
	}
	if config.Get(d.client.Config, config.DelegationTokens) {
		if err := d.collect(ctx, who, all); err != nil {
			return nil, err
		}
	}
	if len(all.OfKind(token.KindHDFSDelegation)) == 0 && d.client.hasHDFS() {
		return nil, usage("%s is false and %s names no file with a token for HDFS: the application's containers could read nothing there; leave it true, or bring tokens",
			config.DelegationTokens.Key, token.EnvFile)
	}
	return all, nil
}

// collect adds the tokens that are missing.
func (d *deployment) collect(ctx context.Context, who *identity.Identity, all *token.Credentials) error {
	renewer, err := yarnrpc.Renewer(d.conf)
	if err != nil {
		return &Failure{ExitUsage, err}
	}
	files, err := d.client.files()
	if err != nil {
		return err
	}
	must, may := d.stores()
	held, err := identity.CollectAll(ctx, files, must, may, renewer, who.Credentials(), func(err error) {
		d.client.Console.Say("Note: %v; the configuration names that store, and the application cannot use it", err)
	})
	if err != nil {
		return explainStore(err)
	}
	for _, h := range held {
		all.Add(h.Service, h.Token)
	}
	if _, there := all.Find(token.KindRMDelegation, ""); there {
		return nil
	}
	t, err := d.rm.DelegationToken(ctx, renewer)
	switch {
	case err != nil && who.Login == nil:
		// The application itself does not ask the ResourceManager for anything as its owner.
		d.client.Log.Debug("no token for the ResourceManager", "error", err)
	case err != nil:
		return explainRM(err)
	default:
		all.Add(t.Service, t)
	}
	return nil
}

// stores are those that the application uses in any case, and what else its configuration names.
func (d *deployment) stores() (must, may []string) {
	texts := []string{d.conf.Get("fs.defaultFS"), d.staging.URI(), config.Get(d.client.Config, config.KerberosFileSystems)}
	if d.job != nil {
		texts = append(texts, d.job.remote.URL)
	}
	return identity.Stores(texts...), identity.Stores(slices.Collect(maps.Values(d.client.Config.Map()))...)
}

// hasHDFS tells whether the default store is one that asks for tokens.
func (c *Client) hasHDFS() bool {
	conf, err := c.Hadoop()
	if err != nil {
		return false
	}
	scheme, _, _ := fs.SplitURI(conf.Get("fs.defaultFS"))
	return scheme == "hdfs"
}

// prepareLogin finds what the JobManager needs to log in by itself: with a key table it can get new tokens as long as it runs.
// What the environment names is put into the configuration, which is all that the JobManager has.
func (d *deployment) prepareLogin() error {
	c := d.client
	who, err := c.identity()
	if err != nil || who.Login == nil || !who.Login.FromKeytab() || !d.conf.Secure() {
		return err
	}
	keytab := config.Get(c.Config, config.KerberosKeytab)
	if keytab == "" {
		keytab = c.Getenv(krb.EnvKeytab)
		c.Config.Set(config.CommandLine, config.KerberosKeytab.Key, keytab, krb.EnvKeytab)
	}
	if config.Get(c.Config, config.KerberosPrincipal) == "" {
		c.Config.Set(config.CommandLine, config.KerberosPrincipal.Key, who.Login.Principal().String(), krb.EnvPrincipal)
	}
	d.login = map[string]string{}
	if krb5 := config.Get(c.Config, config.Krb5ConfPath); krb5 != "" {
		d.login[spec.Krb5Conf] = krb5
	}
	if !config.Get(c.Config, config.ShipKeytab) {
		return nil
	}
	name := config.Get(c.Config, config.LocalizedKeytab)
	if !filepath.IsLocal(name) {
		return usage("%s is %s: with %s it must be a name below the container's working directory", config.LocalizedKeytab.Key, name, config.ShipKeytab.Key)
	}
	d.login[name] = keytab
	return nil
}

// stageLogin brings these files, for the application's owner alone.
func (d *deployment) stageLogin(ctx context.Context, m *spec.Manifest) error {
	for name, local := range d.login {
		data, err := os.ReadFile(local)
		if err != nil {
			return &Failure{ExitUsage, err}
		}
		// The name in the application's directory is flat.
		f, err := d.staging.put(ctx, m.Application, strings.ReplaceAll(filepath.ToSlash(name), "/", "-"), data)
		if err != nil {
			return err
		}
		m.AddMaster(name, f)
	}
	return nil
}
