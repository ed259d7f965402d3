package main

import (
	"log/slog"
	"time"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	"github.com/weft-project/weft/internal/fs/local"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
)

// clientWait is how long a command waits for a NameNode that is away or in safe mode: somebody sits in front of it.
const clientWait = 15 * time.Second

// openFiles makes the file systems of a process in a container.
func openFiles(conf *hadoopconf.Conf, user string, log *slog.Logger) (*fs.Registry, error) {
	return fileSystems(conf, hdfs.Options{User: user, Log: log}), nil
}

// clientFiles makes the file systems of a command, which tells its user what it waits for.
func clientFiles(say func(format string, args ...any)) func(*hadoopconf.Conf, string, *slog.Logger) (*fs.Registry, error) {
	return func(conf *hadoopconf.Conf, user string, log *slog.Logger) (*fs.Registry, error) {
		return fileSystems(conf, hdfs.Options{User: user, Log: log, RetryMaxWait: clientWait, OnWait: func(text string) { say("Note: %s", text) }}), nil
	}
}

// fileSystems chooses the file systems that this binary knows.
func fileSystems(conf *hadoopconf.Conf, o hdfs.Options) *fs.Registry {
	r := fs.NewRegistry()
	r.Register("file", local.Factory)
	r.Register("hdfs", func(authority string) (fs.FileSystem, error) {
		return hdfs.New(conf, authority, o)
	})
	r.SetDefault(conf.Get("fs.defaultFS"))
	return r
}
