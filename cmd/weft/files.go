package main

import (
	"log/slog"
	"time"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	"github.com/weft-project/weft/internal/fs/local"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security/identity"
)

// clientWait is how long a command waits for a NameNode that is away or in safe mode: somebody sits in front of it.
const clientWait = 15 * time.Second

// clusterFiles makes the file systems of a process of a cluster.
func clusterFiles(conf *hadoopconf.Conf, who *identity.Identity, log *slog.Logger) (*fs.Registry, error) {
	return filesOf(conf, who, hdfs.Options{Log: log}), nil
}

// clientFiles makes the file systems of a command, which tells its user what it waits for.
func clientFiles(say func(format string, args ...any)) func(*hadoopconf.Conf, *identity.Identity, *slog.Logger) (*fs.Registry, error) {
	return func(conf *hadoopconf.Conf, who *identity.Identity, log *slog.Logger) (*fs.Registry, error) {
		return filesOf(conf, who, hdfs.Options{Log: log, RetryMaxWait: clientWait, OnWait: func(text string) { say("Note: %s", text) }}), nil
	}
}

// filesOf makes the file systems of somebody; stores get the tokens that come later, too.
func filesOf(conf *hadoopconf.Conf, who *identity.Identity, o hdfs.Options) *fs.Registry {
	o.User, o.ProxyUser, o.Kerberos = who.User, who.ProxyUser, who.Login
	r := fileSystems(conf, o)
	r.Register("hdfs", func(authority string) (fs.FileSystem, error) {
		o := o
		o.Credentials = who.Credentials()
		store, err := hdfs.New(conf, authority, o)
		if s, ok := store.(*hdfs.FS); ok && err == nil {
			who.Follow(func(creds *token.Credentials) { s.SetCredentials(creds) })
		}
		return store, err
	})
	return r
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
