package client

import (
	"context"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/rest/access"
)

// negotiate shows a JobManager that asks for it our Kerberos ticket; Hadoop need not be secured for that, nor be there at all.
func (c *Client) negotiate(ctx context.Context, host string) (string, error) {
	show := c.authorization()
	if show == nil {
		o, err := krb.FromSettings(c.kerberosSetting, func(name string) string {
			if path := config.Get(c.Config, config.Krb5ConfPath); name == krb.EnvConfig && path != "" {
				return path
			}
			return c.Getenv(name)
		})
		if err != nil {
			return "", explainLogin(err)
		}
		o.Log = c.Log
		login, err := krb.Open(o)
		if err != nil {
			return "", explainLogin(err)
		}
		show = login.Authorization
	}
	header, err := show(ctx, host)
	return header, explainLogin(err)
}

// prepareTickets finds what the JobManager needs to know callers by their tickets. What could not work is said before anything starts.
func (d *deployment) prepareTickets() error {
	c := d.client
	if !access.Tickets(c.Config) {
		return nil
	}
	keytab := access.KeyTable(c.Config)
	if keytab == "" {
		return usage("%s is %s: name a key table with the keys of HTTP/host, for all hosts of the cluster, in %s",
			config.RESTAuth.Key, config.RESTAuthKerberos, config.RESTKeytab.Key)
	}
	if !config.Get(c.Config, config.ShipKeytab) {
		return nil
	}
	rules, err := krb.ParseRules("", "", "")
	if err != nil {
		return err
	}
	// Which host it will be is not known yet.
	if _, err := krb.NewAcceptor(keytab, "", rules); err != nil {
		return usage("%s: %w", config.RESTAuth.Key, err)
	}
	if d.login == nil {
		d.login = map[string]string{}
	}
	if krb5 := config.Get(c.Config, config.Krb5ConfPath); krb5 != "" {
		d.login[spec.Krb5Conf] = krb5
	}
	if config.Get(c.Config, config.RESTKeytab) != "" {
		d.login[spec.RESTKeytab] = keytab
	}
	return nil
}
