package launch

import (
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// hdfsUser is who opens HDFS: a name on insecure clusters, tokens on secured ones.
type hdfsUser struct {
	name  string
	creds *token.Credentials
}

// registerHDFS makes hdfs:// paths work. Paths without a scheme stay local in a local run.
func registerHDFS(files *fs.Registry, conf *hadoopconf.Conf, u hdfsUser) {
	files.Register("hdfs", func(authority string) (fs.FileSystem, error) {
		return hdfs.New(conf, authority, hdfs.Options{User: u.name, Credentials: u.creds, Log: workerLog()})
	})
}
