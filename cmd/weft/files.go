package main

import (
	"log/slog"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	"github.com/weft-project/weft/internal/fs/local"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
)

// openFiles chooses the file systems that the processes of this binary know.
func openFiles(conf *hadoopconf.Conf, user string, log *slog.Logger) (*fs.Registry, error) {
	r := fs.NewRegistry()
	r.Register("file", local.Factory)
	r.Register("hdfs", func(authority string) (fs.FileSystem, error) {
		return hdfs.New(conf, authority, hdfs.Options{User: user, Log: log})
	})
	r.SetDefault(conf.Get("fs.defaultFS"))
	return r, nil
}
