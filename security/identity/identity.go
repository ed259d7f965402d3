package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"

	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// Variables of the environment that every Hadoop client knows.
const (
	// EnvUser names the user on clusters without Kerberos.
	EnvUser = "HADOOP_USER_NAME"
	// EnvProxyUser names for whom the user acts.
	EnvProxyUser = "HADOOP_PROXY_USER"
)

// Identity is who a process is towards Hadoop. It is safe for use by several goroutines.
type Identity struct {
	// User is the short name: files and applications are this user's, and its home directory is meant. With ProxyUser set it
	// is the one who acts for that one.
	User string
	// ProxyUser, when not empty, is for whom the user acts.
	ProxyUser string
	// Login is the Kerberos login; nil where there is none.
	Login *krb.Login
	// NoLogin is why there is no login on a secured cluster where tokens have to do.
	NoLogin error
	// Ignored is HADOOP_USER_NAME where a secured cluster does not listen to it.
	Ignored string

	mu    sync.Mutex
	creds *token.Credentials
	told  []func(*token.Credentials)
}

// New is an identity of a name and the tokens at hand, which may be nil.
func New(user string, creds *token.Credentials) *Identity {
	return &Identity{User: user, creds: creds}
}

// Effective is the user whose files and applications they are.
func (i *Identity) Effective() string {
	if i.ProxyUser != "" {
		return i.ProxyUser
	}
	return i.User
}

// Credentials are the tokens at hand; nil is none. They must not be changed.
func (i *Identity) Credentials() *token.Credentials {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.creds
}

// Update adds tokens to those at hand, in the place of those for the same servers, and hands them on.
func (i *Identity) Update(creds *token.Credentials) {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := &token.Credentials{}
	if i.creds != nil {
		all.AddAll(i.creds)
	}
	all.AddAll(creds)
	i.creds = all
	for _, tell := range i.told {
		tell(all)
	}
}

// Follow has take called with the tokens at hand, when there are any, and with all later ones. Calls come one after the other.
func (i *Identity) Follow(take func(*token.Credentials)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.told = append(i.told, take)
	if i.creds != nil {
		take(i.creds)
	}
}

// Source is what FromEnvironment reads.
type Source struct {
	// Setting gives a value of Weft's configuration, "" for a key that is not set.
	Setting func(key string) string
	Getenv  func(string) string
	// Krb5Conf, when not empty, is read in the place of what KRB5_CONFIG names.
	Krb5Conf string
	Log      *slog.Logger
}

func (s Source) getenv(name string) string {
	if name == krb.EnvConfig && s.Krb5Conf != "" {
		return s.Krb5Conf
	}
	return s.Getenv(name)
}

// FromEnvironment finds out who this process is. It asks nobody: Check does.
func FromEnvironment(conf *hadoopconf.Conf, s Source) (*Identity, error) {
	creds, err := token.FromEnv(s.Getenv)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", token.EnvFile, err)
	}
	if creds.Len() == 0 {
		creds = nil
	}
	i := &Identity{creds: creds, ProxyUser: s.Getenv(EnvProxyUser)}
	if !conf.Secure() {
		if i.User = s.Getenv(EnvUser); i.User == "" {
			i.User = ProcessUser(s.Getenv)
		}
		return i, nil
	}
	i.Ignored = s.Getenv(EnvUser)
	o, err := krb.FromSettings(s.Setting, s.getenv)
	if err == nil {
		o.Log = s.Log
		i.Login, err = krb.Open(o)
	}
	if err == nil {
		i.User, err = i.Login.User(conf.Get)
		return i, err
	}
	if creds == nil {
		return nil, err
	}
	i.NoLogin = err
	i.User, err = owner(conf, creds, s)
	if i.ProxyUser == i.User {
		i.ProxyUser = "" // the tokens were made for that one
	}
	return i, err
}

// Check gets a ticket that lasts, where we have a login; with tokens alone there is nothing to check.
func (i *Identity) Check(ctx context.Context) error {
	if i.Login == nil {
		return nil
	}
	_, err := i.Login.Check(ctx)
	return err
}

// owner is the user whom tokens stand for.
func owner(conf *hadoopconf.Conf, creds *token.Credentials, s Source) (string, error) {
	for _, kind := range []string{token.KindHDFSDelegation, token.KindRMDelegation} {
		if held := creds.OfKind(kind); len(held) > 0 {
			d, err := held[0].Delegation()
			if err != nil {
				return "", fmt.Errorf("%s: %w", token.EnvFile, err)
			}
			return ShortName(conf, d.Owner, s.getenv)
		}
	}
	// In a container of YARN.
	if name := s.Getenv("USER"); name != "" {
		return name, nil
	}
	return ProcessUser(s.Getenv), nil
}

// ShortName is what the cluster's rules make of a principal; getenv finds krb5.conf.
func ShortName(conf *hadoopconf.Conf, name string, getenv func(string) string) (string, error) {
	if !strings.ContainsAny(name, "@/") {
		return name, nil
	}
	p, err := krb.ParsePrincipal(name, "")
	if err != nil {
		return "", err
	}
	realm := p.Realm
	// Without a krb5.conf the token's realm is taken for ours.
	if c, err := krb.LoadConfig(getenv); err == nil && c.DefaultRealm != "" {
		realm = c.DefaultRealm
	}
	rules, err := krb.ParseRules(conf.Get("hadoop.security.auth_to_local"), conf.Get("hadoop.security.auth_to_local.mechanism"), realm)
	if err != nil {
		return "", err
	}
	return rules.Name(p)
}

// ProcessUser is who runs this process, as the operating system says.
func ProcessUser(getenv func(string) string) string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	if u := getenv("USER"); u != "" {
		return u
	}
	return strconv.Itoa(os.Getuid())
}

// IsLogin tells the errors of a log-in: of Kerberos' configuration, tickets, key tables and KDCs. Unreachable tells those of a
// KDC that does not answer.
func IsLogin(err error) (login, unreachable bool) {
	for _, kind := range []error{krb.ErrConfig, krb.ErrNoTicket, krb.ErrExpired, krb.ErrKeytab, krb.ErrSkew, krb.ErrRefused, krb.ErrNotTaken, krb.ErrUnreachable} {
		if errors.Is(err, kind) {
			return true, kind == krb.ErrUnreachable
		}
	}
	return false, false
}
