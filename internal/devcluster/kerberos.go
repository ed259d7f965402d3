package devcluster

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Realms of a secured cluster.
const (
	Realm       = "WEFT.TEST"
	SecondRealm = "PARTNER.TEST" // with Kerberos.SecondRealm; its users log in to the cluster, too
)

// Users of a secured cluster, each with a key table (Cluster.Keytab).
const (
	Owner   = "owner"
	Other   = "other"
	Gateway = "gateway" // may act for anybody (hadoop.proxyuser.gateway)
	Guest   = "guest"   // of the second realm
	// superuser is who the NameNode runs as, and YARN's administrator.
	superuser = "hdfs"
)

// Levels of protection.
const (
	ProtectionAuthentication = "authentication"
	ProtectionIntegrity      = "integrity"
	ProtectionPrivacy        = "privacy"
)

// Kerberos says how a cluster is secured: a KDC of its own, service principals, SASL for every call and block, SPNEGO for web
// pages. The zero value is privacy with Kerberos' and Hadoop's own lifetimes.
type Kerberos struct {
	// Protection is that of RPC and of data transfer: authentication, integrity or privacy, the default.
	Protection string
	// AnyProtection has the daemons accept every level, so that a client gets the one that its own configuration asks for;
	// Protection is what the cluster's configuration directory says.
	AnyProtection bool
	// TicketLife and TicketRenew bound the tickets of users: life (default 10 h) and renewable life (default 7 days).
	TicketLife, TicketRenew time.Duration
	// TokenRenew is how long a delegation token lives without being renewed (default 1 day), TokenLife at most (default 7 days).
	TokenRenew, TokenLife time.Duration
	// SecondRealm adds a realm that the cluster's trusts.
	SecondRealm bool
}

func (k *Kerberos) withDefaults() (*Kerberos, error) {
	if k == nil {
		return nil, nil
	}
	with := *k
	switch with.Protection {
	case "":
		with.Protection = ProtectionPrivacy
	case ProtectionAuthentication, ProtectionIntegrity, ProtectionPrivacy:
	default:
		return nil, fmt.Errorf("devcluster: protection %q: expected %s, %s or %s", with.Protection,
			ProtectionAuthentication, ProtectionIntegrity, ProtectionPrivacy)
	}
	for _, d := range []*time.Duration{&with.TicketLife, &with.TicketRenew, &with.TokenRenew, &with.TokenLife} {
		if *d < 0 || *d%time.Second != 0 {
			return nil, fmt.Errorf("devcluster: lifetime %v: expected whole seconds", *d)
		}
	}
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&with.TicketLife, 10*time.Hour)
	set(&with.TicketRenew, 7*24*time.Hour)
	set(&with.TokenRenew, 24*time.Hour)
	set(&with.TokenLife, 7*24*time.Hour)
	return &with, nil
}

// serviceHosts are the names under which services are reached; web servers by address, too.
var serviceHosts = []string{"localhost", "127.0.0.1", rmWebHost}

// anyProtection is what a daemon accepts with AnyProtection, the preferred first: among each other they take that.
const anyProtection = ProtectionPrivacy + "," + ProtectionIntegrity + "," + ProtectionAuthentication

// kerberosPrograms are what the KDC is made of, with the Debian packages that bring it.
var kerberosPrograms = map[string]string{
	"krb5kdc": "krb5-kdc", "kdb5_util": "krb5-kdc", "kadmin.local": "krb5-admin-server", "kinit": "krb5-user",
}

// kerberosProgram finds a program; system folders are often not on the PATH of a plain user.
func kerberosProgram(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/lib/mit/sbin"} {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s is not on the PATH and is needed for --kerberos; install it, for example: apt-get install %s", name, kerberosPrograms[name])
}

// ensureKerberos finds MIT Kerberos or installs it by the system's package manager, where that is allowed.
func ensureKerberos(ctx context.Context, log io.Writer) error {
	for name, pkg := range kerberosPrograms {
		_, missing := kerberosProgram(name)
		if missing == nil {
			continue
		}
		if err := aptInstall(ctx, log, pkg); err != nil {
			return fmt.Errorf("%w (%w)", missing, err)
		}
		if _, err := kerberosProgram(name); err != nil {
			return err
		}
	}
	return nil
}

// KDC is host:port of the cluster's KDC (UDP and TCP).
func (c *Cluster) KDC() string { return loopback(c.state.Base + portKDC) }

// KDCAhead is host:port of the KDC whose clock is ahead.
func (c *Cluster) KDCAhead() string { return loopback(c.state.Base + portKDCAhead) }

// Kerberos tells how the cluster is secured; nil: it is not.
func (c *Cluster) Kerberos() *Kerberos { return c.state.Kerberos }

// Krb5Conf is the krb5.conf of the cluster's realms (KRB5_CONFIG).
func (c *Cluster) Krb5Conf() string { return c.path("kerberos", "krb5.conf") }

// Krb5ConfAhead is the same with the KDC whose clock is ahead ([KDCAhead]).
func (c *Cluster) Krb5ConfAhead() string { return c.path("kerberos", "krb5-ahead.conf") }

// Keytab is the key table of a user of a secured cluster.
func (c *Cluster) Keytab(user string) string { return c.path("kerberos", user+".keytab") }

// Principal is the full name of a user of a secured cluster.
func (c *Cluster) Principal(user string) string {
	if user == Guest {
		return user + "@" + SecondRealm
	}
	return user + "@" + Realm
}

// Login makes a ticket cache of a user by kinit, as FILE:NAME or DIR:NAME; further arguments are kinit's own (-l 1m).
func (c *Cluster) Login(ctx context.Context, user, cache string, args ...string) error {
	kinit, err := kerberosProgram("kinit")
	if err != nil {
		return err
	}
	args = append([]string{"-k", "-t", c.Keytab(user), "-c", cache}, args...)
	cmd := exec.CommandContext(ctx, kinit, append(args, c.Principal(user))...)
	cmd.Env = append(os.Environ(), "KRB5_CONFIG="+c.Krb5Conf())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("devcluster: kinit %s: %w: %s", c.Principal(user), err, lastLines(out, 3))
	}
	return nil
}

// Kadmin runs one command of kadmin.local on the database of a realm, for example "modprinc", "-maxlife", "1 minute", "owner".
func (c *Cluster) Kadmin(ctx context.Context, realm string, command ...string) error {
	for i, word := range command {
		command[i] = `"` + word + `"`
	}
	return c.kadmin(ctx, realm, strings.Join(command, " "))
}

//go:embed secureio
var secureIO embed.FS

// layOutKerberos writes what the KDC and secured daemons read, and makes the realms.
func (c *Cluster) layOutKerberos(ctx context.Context) error {
	dir := c.path("kerberos")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails on the supported platforms
	files := map[string]string{
		"krb5.conf": c.krb5Conf(c.KDC()), "kdc.conf": c.kdcConf(c.KDC()),
		"krb5-ahead.conf": c.krb5Conf(c.KDCAhead()), "kdc-ahead.conf": c.kdcConf(c.KDCAhead()), "http-secret": hex.EncodeToString(secret), "hosts": hosts("127.0.0.1"), "hosts-web": hosts(rmWebHost),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	// Users' own processes read this one.
	if err := os.Chmod(c.Krb5Conf(), 0o644); err != nil {
		return err
	}
	if err := c.writeSecureIO(); err != nil {
		return err
	}
	password := hex.EncodeToString(secret[:12])
	if err := c.makeRealm(ctx, Realm, password, append(c.servicePrincipals(), Owner, Other, Gateway, superuser)); err != nil {
		return err
	}
	if !c.state.Kerberos.SecondRealm {
		return nil
	}
	return c.makeRealm(ctx, SecondRealm, password, []string{Guest})
}

// writeSecureIO puts our SecureIOUtils in front of Hadoop's.
func (c *Cluster) writeSecureIO() error {
	to := c.path("stubs", "org", "apache", "hadoop", "io")
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	classes, err := fs.Glob(secureIO, "secureio/*.class")
	if err != nil {
		return err
	}
	for _, name := range classes {
		b, err := secureIO.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) servicePrincipals() []string {
	var out []string
	for _, host := range serviceHosts {
		for _, service := range []string{"nn", "dn", "rm", "nm", "HTTP"} {
			out = append(out, service+"/"+host)
		}
	}
	return out
}

// makeRealm makes the database of a realm, its principals and their key tables: one for each user, one for all services.
func (c *Cluster) makeRealm(ctx context.Context, realm, password string, principals []string) error {
	if err := os.MkdirAll(c.path("kerberos", realm), 0o700); err != nil {
		return err
	}
	if err := c.kerberosTool(ctx, "", "kdb5_util", "create", "-s", "-r", realm, "-P", password); err != nil {
		return err
	}
	k := c.state.Kerberos
	var script strings.Builder
	for _, p := range principals {
		keytab, limits := "services", ""
		if !strings.Contains(p, "/") {
			keytab = p
			limits = fmt.Sprintf(`-maxlife "%d seconds" -maxrenewlife "%d seconds"`, int(k.TicketLife.Seconds()), int(k.TicketRenew.Seconds()))
		}
		fmt.Fprintf(&script, "addprinc -randkey %s %s\nktadd -norandkey -k %s %s\n", limits, p, c.Keytab(keytab), p)
	}
	if k.SecondRealm {
		// The ticket by which the second realm's KDC vouches for its users at ours: both know its key.
		fmt.Fprintf(&script, "addprinc -pw %s krbtgt/%s@%s\n", password, Realm, SecondRealm)
	}
	return c.kadmin(ctx, realm, script.String())
}

// kadmin feeds commands to kadmin.local, which goes on after a failed one: its complaints are errors here.
func (c *Cluster) kadmin(ctx context.Context, realm, script string) error {
	return c.kerberosTool(ctx, script, "kadmin.local", "-r", realm)
}

func (c *Cluster) kerberosTool(ctx context.Context, stdin, name string, args ...string) error {
	path, err := kerberosProgram(name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), c.kdcEnv()...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err != nil || strings.Contains(text, " while ") || strings.Contains(text, "usage:") {
		return fmt.Errorf("%s: %w: %s", name, err, lastLines(out, 3))
	}
	return nil
}

func (c *Cluster) kdcEnv() []string {
	return []string{"KRB5_CONFIG=" + c.Krb5Conf(), "KRB5_KDC_PROFILE=" + c.path("kerberos", "kdc.conf")}
}

// kdcCommand is the KDC's command line. It knows no option that could carry the cluster's mark, so that its own name does.
func (c *Cluster) kdcCommand(d daemonName) (*exec.Cmd, error) {
	path, err := kerberosProgram("krb5kdc")
	if err != nil {
		return nil, err
	}
	args := []string{markOf(c.state.Dir, d.String()), "-n", "-r", Realm}
	if c.state.Kerberos.SecondRealm {
		args = append(args, "-r", SecondRealm)
	}
	cmd := &exec.Cmd{Path: path, Args: args, Env: append(c.environ(), c.kdcEnv()...)}
	if d.kind == kindKDCAhead {
		fake, err := fakeTime()
		if err != nil {
			return nil, err
		}
		cmd.Env = append(cmd.Env, "KRB5_KDC_PROFILE="+c.path("kerberos", "kdc-ahead.conf"), "LD_PRELOAD="+fake,
			fmt.Sprintf("FAKETIME=+%ds", int(aheadBy.Seconds())), "FAKETIME_DONT_FAKE_MONOTONIC=1")
	}
	return cmd, nil
}

func (c *Cluster) krb5Conf(kdc string) string {
	realms := []string{Realm}
	if c.state.Kerberos.SecondRealm {
		realms = append(realms, SecondRealm)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[libdefaults]\n default_realm = %s\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"+
		" dns_canonicalize_hostname = false\n rdns = false\n forwardable = true\n udp_preference_limit = 1\n"+
		" ticket_lifetime = %ds\n renew_lifetime = %ds\n"+
		// What Java 17 speaks, too.
		" permitted_enctypes = aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96\n"+
		"[realms]\n", Realm, int(c.state.Kerberos.TicketLife.Seconds()), int(c.state.Kerberos.TicketRenew.Seconds()))
	for _, r := range realms {
		fmt.Fprintf(&b, " %s = {\n  kdc = %s\n }\n", r, kdc)
	}
	fmt.Fprintf(&b, "[domain_realm]\n localhost = %s\n 127.0.0.1 = %s\n %s = %s\n", Realm, Realm, rmWebHost, Realm)
	return b.String()
}

func (c *Cluster) kdcConf(listen string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[kdcdefaults]\n kdc_listen = %s\n kdc_tcp_listen = %s\n[realms]\n", listen, listen)
	for _, r := range []string{Realm, SecondRealm} {
		dir := c.path("kerberos", r)
		fmt.Fprintf(&b, " %s = {\n  database_name = %s/principal\n  key_stash_file = %s/stash\n  acl_file = %s/acl\n"+
			"  max_life = 7d\n  max_renewable_life = 14d\n  default_principal_flags = +preauth\n"+
			"  supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal\n }\n", r, dir, dir, dir)
	}
	b.WriteString("[logging]\n kdc = STDERR\n default = STDERR\n")
	return b.String()
}

// hosts is all that the daemons' JVMs know of names, whatever the machine's own files say. For the ResourceManager the
// machine's own name means the address of its web server: its proxy then calls applications from there, and they can tell it
// from others.
func hosts(own string) string {
	name, err := os.Hostname()
	if err != nil {
		name = "unnamed"
	}
	return fmt.Sprintf("127.0.0.1 localhost\n%s %s\n%s %s\n", rmWebHost, rmWebHost, own, name)
}
