package launch

import (
	"context"
	"fmt"
	"os"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/taskexec/worker"
)

// registerHDFS makes hdfs:// paths work. Paths without a scheme stay local in a local run. Stores get the tokens that come later,
// too.
func registerHDFS(files *fs.Registry, conf *hadoopconf.Conf, who *identity.Identity) {
	files.Register("hdfs", func(authority string) (fs.FileSystem, error) {
		store, err := hdfs.New(conf, authority, hdfs.Options{User: who.User, ProxyUser: who.ProxyUser, Kerberos: who.Login, Credentials: who.Credentials(),
			Log: workerLog()})
		s, ok := store.(*hdfs.FS)
		if err != nil || !ok {
			return store, err
		}
		if who.Login == nil && conf.Secure() && (who.Credentials() == nil || !s.SetCredentials(who.Credentials())) {
			_ = store.Close() // nothing is open
			return nil, fmt.Errorf("%s: the job has no delegation token for it: name it in security.kerberos.access.hadoopFileSystems when the cluster is started", s.URI())
		}
		who.Follow(func(creds *token.Credentials) { s.SetCredentials(creds) })
		return store, nil
	})
}

// localIdentity is who a local run is towards Hadoop: as any command, but by the environment alone.
func localIdentity(conf *hadoopconf.Conf, values map[string]string) (*identity.Identity, error) {
	who, err := identity.FromEnvironment(conf, identity.Source{Setting: func(key string) string { return values[key] }, Getenv: os.Getenv, Log: workerLog()})
	if err != nil {
		return nil, err
	}
	return who, who.Check(context.Background())
}

// followTokens hands the tokens that come after the worker's start on.
func followTokens(link *worker.Link, who *identity.Identity) {
	if link == nil {
		return
	}
	link.OnTokens(func(data []byte) {
		creds, err := token.Unmarshal(data)
		if err != nil {
			workerLog().Error("new Hadoop tokens", "error", err)
			return
		}
		who.Update(creds)
	})
}
