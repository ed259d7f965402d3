package access

import (
	"fmt"
	"strings"

	"github.com/weft-project/weft/config"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/rest"
)

// Tickets tells whether callers of REST may show Kerberos tickets.
func Tickets(c *config.Config) bool { return config.Get(c, config.RESTAuth) == config.RESTAuthKerberos }

// KeyTable is the file with the keys of the server's HTTP principal, as the configuration names it; "" where it names none.
func KeyTable(c *config.Config) string {
	if path := config.Get(c, config.RESTKeytab); path != "" {
		return path
	}
	return config.Get(c, config.KerberosKeytab)
}

// Identifier makes what knows callers by their tickets; nil where the configuration does not ask for it. keytab is where the key
// table lies here, host is what callers name in their requests, and getenv finds krb5.conf.
func Identifier(c *config.Config, hadoop *hadoopconf.Conf, keytab, host string, getenv func(string) string) (rest.Identifier, error) {
	if !Tickets(c) {
		return nil, nil
	}
	if keytab == "" {
		return nil, fmt.Errorf("%s is %s, but neither %s nor %s names a key table with the keys of HTTP/%s",
			config.RESTAuth.Key, config.RESTAuthKerberos, config.RESTKeytab.Key, config.KerberosKeytab.Key, host)
	}
	principal := strings.ReplaceAll(config.Get(c, config.RESTPrincipal), "_HOST", strings.ToLower(host))
	a, err := acceptor(hadoop, keytab, principal, getenv)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.RESTAuth.Key, err)
	}
	return a, nil
}

// NewAcceptor reads a key table as a JobManager would, for whichever host: to look whether it will do.
func NewAcceptor(hadoop *hadoopconf.Conf, keytab string, getenv func(string) string) (*krb.Acceptor, error) {
	return acceptor(hadoop, keytab, "", getenv)
}

func acceptor(hadoop *hadoopconf.Conf, keytab, principal string, getenv func(string) string) (*krb.Acceptor, error) {
	krb5, err := krb.LoadConfig(getenv)
	if err != nil {
		return nil, err
	}
	rules, err := krb.ParseRules(hadoop.Get("hadoop.security.auth_to_local"), hadoop.Get("hadoop.security.auth_to_local.mechanism"), krb5.DefaultRealm)
	if err != nil {
		return nil, err
	}
	return krb.NewAcceptor(keytab, principal, rules)
}
