package launch

import (
	"github.com/weft-project/weft/internal/fs"
	"errors"
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
		if authority == "" {
			_, authority, _ = fs.SplitURI(conf.Get("fs.defaultFS"))
		}
		return nil, errors.New("hdfs is not linked yet")
	})
}
