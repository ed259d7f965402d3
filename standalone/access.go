package standalone

import (
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/access"
	"github.com/weft-project/weft/security/identity"
)

// callers is who may call REST beside who has the token; zero where nobody may.
type callers struct {
	rights     rest.Authoriser
	identifier rest.Identifier
}

// access lets callers show Kerberos tickets where the configuration says so. The owner is who runs this process.
func (o *Options) access(conf *hadoopconf.Conf, files *fs.Registry, host string) (callers, error) {
	if !access.Tickets(o.Config) {
		return callers{}, nil
	}
	identifier, err := access.Identifier(o.Config, conf, access.KeyTable(o.Config), host, o.kerberosEnv)
	if err != nil {
		return callers{}, err
	}
	// Groups are those that the configured HDFS tells; without one the lists' users count alone.
	rights, err := access.New(o.Config, conf, identity.ProcessUser(o.Getenv), access.GroupsFrom(files, conf.Get("fs.defaultFS")))
	if err != nil {
		return callers{}, err
	}
	return callers{rights, identifier}, nil
}
