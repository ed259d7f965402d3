package am

import (
	"os"
	"path/filepath"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/access"
)

// rights says what users may do with the application, for rest.
func (a *application) rights() (*access.Rights, error) {
	return access.New(a.config, a.hadoop, a.manifest.User, access.GroupsFrom(a.files, a.manifest.Base))
}

// identifier knows callers by their tickets; nil where the configuration does not ask for it.
func (a *application) identifier() (rest.Identifier, error) {
	keytab := config.Get(a.config, config.RESTKeytab)
	switch shipped := config.Get(a.config, config.ShipKeytab); {
	case keytab != "" && shipped:
		keytab = filepath.Join(a.Dir, spec.RESTKeytab)
	case keytab == "" && config.Get(a.config, config.KerberosKeytab) != "":
		keytab = a.localKeytab()
	}
	return access.Identifier(a.config, a.hadoop, keytab, a.host, a.kerberosEnv)
}

// localKeytab is where the key table lies with which the application logs in.
func (a *application) localKeytab() string {
	local := config.Get(a.config, config.LocalizedKeytab)
	if config.Get(a.config, config.ShipKeytab) {
		local = filepath.Join(a.Dir, local)
	}
	return local
}

// kerberosEnv is the environment with the krb5.conf that came with the application.
func (a *application) kerberosEnv(name string) string {
	if krb5 := filepath.Join(a.Dir, spec.Krb5Conf); name == krb.EnvConfig {
		if _, err := os.Stat(krb5); err == nil {
			return krb5
		}
	}
	return a.Getenv(name)
}
