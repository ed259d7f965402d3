package site

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/hdfsha"
	"github.com/weft-project/weft/ha/zookeeper"
	"github.com/weft-project/weft/internal/fs"
)

// ErrNone: the configuration asks for no store.
var ErrNone = errors.New("high-availability.type is NONE")

// Open opens the store of a cluster. files opens file systems when they are needed.
func Open(c *config.Config, cluster string, files func() (*fs.Registry, error), log *slog.Logger) (ha.Store, error) {
	switch config.Get(c, config.HAType) {
	case config.HAZooKeeper:
		o, err := zooKeeper(c, files, log)
		if err != nil {
			return nil, err
		}
		o.Cluster = cluster
		return zookeeper.Open(o)
	case config.HAHDFS:
		o, err := fileSystem(c, files, log)
		if err != nil {
			return nil, err
		}
		o.Cluster = cluster
		return hdfsha.Open(o)
	}
	return nil, ErrNone
}

// OpenAdmin opens the store for a look at all its clusters; where says which it is.
func OpenAdmin(c *config.Config, files func() (*fs.Registry, error), log *slog.Logger) (admin ha.Admin, where string, err error) {
	switch config.Get(c, config.HAType) {
	case config.HAZooKeeper:
		o, err := zooKeeper(c, files, log)
		if err != nil {
			return nil, "", err
		}
		a, err := zookeeper.OpenAdmin(o)
		if err != nil {
			return nil, "", err
		}
		return a, "ZooKeeper at " + o.Quorum + ", " + o.Root, nil
	case config.HAHDFS:
		o, err := fileSystem(c, files, log)
		if err != nil {
			return nil, "", err
		}
		return hdfsha.OpenAdmin(o), o.Files.URI() + o.Dir, nil
	}
	return nil, "", ErrNone
}

// fileSystem makes the options of a store in a file system.
func fileSystem(c *config.Config, files func() (*fs.Registry, error), log *slog.Logger) (hdfsha.Options, error) {
	registry, err := files()
	if err != nil {
		return hdfsha.Options{}, err
	}
	dir := config.Get(c, config.HAStorageDir)
	named := dir != ""
	store, p, err := registry.Get(dir)
	if err != nil {
		return hdfsha.Options{}, fmt.Errorf("%s: %w", config.HAStorageDir.Key, err)
	}
	if !named {
		p = path.Join(store.Home(), ".weft", "ha")
	}
	return hdfsha.Options{Files: store, Dir: p, Lease: config.Get(c, config.HALease), Log: log}, nil
}

// zooKeeper makes the options of a store in ZooKeeper.
func zooKeeper(c *config.Config, files func() (*fs.Registry, error), log *slog.Logger) (zookeeper.Options, error) {
	o := zookeeper.Options{
		Quorum: config.Get(c, config.ZooKeeperQuorum), Root: config.Get(c, config.ZooKeeperRoot),
		SessionTimeout: config.Get(c, config.ZooKeeperSessionTimeout), ConnectionTimeout: config.Get(c, config.ZooKeeperConnectionTimeout),
		RetryWait: config.Get(c, config.ZooKeeperRetryWait), Retries: config.Get(c, config.ZooKeeperRetries),
		CreatorOnly: config.Get(c, config.ZooKeeperACL) == "creator", Log: log,
	}
	var err error
	if o.Auth, err = authorization(config.Get(c, config.ZooKeeperAuthorization)); err != nil {
		return o, err
	}
	if o.CreatorOnly && len(o.Auth) == 0 {
		return o, fmt.Errorf("%s is creator, and %s says nobody; expected scheme:secret, such as digest:user:password",
			config.ZooKeeperACL.Key, config.ZooKeeperAuthorization.Key)
	}
	if config.Get(c, config.ZooKeeperTLS) {
		if o.TLS, err = tlsConfig(c); err != nil {
			return o, err
		}
	}
	if dir := config.Get(c, config.HAStorageDir); dir != "" {
		registry, err := files()
		if err != nil {
			return o, err
		}
		if o.Files, o.StorageDir, err = registry.Get(dir); err != nil {
			return o, fmt.Errorf("%s: %w", config.HAStorageDir.Key, err)
		}
	}
	return o, nil
}

// authorization reads scheme:secret,scheme:secret,…. No part of a secret is in an error.
func authorization(text string) ([]zookeeper.Auth, error) {
	var out []zookeeper.Auth
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		scheme, secret, ok := strings.Cut(part, ":")
		if !ok || scheme == "" || secret == "" {
			return nil, fmt.Errorf("%s: expected scheme:secret, such as digest:user:password; several with commas", config.ZooKeeperAuthorization.Key)
		}
		out = append(out, zookeeper.Auth{Scheme: scheme, Secret: secret})
	}
	return out, nil
}

func tlsConfig(c *config.Config) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := config.Get(c, config.ZooKeeperTLSCA); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", config.ZooKeeperTLSCA.Key, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: %s has no certificate in PEM", config.ZooKeeperTLSCA.Key, file)
		}
	}
	certFile, keyFile := config.Get(c, config.ZooKeeperTLSCertificate), config.Get(c, config.ZooKeeperTLSKey)
	if certFile == "" && keyFile == "" {
		return t, nil
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", config.ZooKeeperTLSCertificate.Key, config.ZooKeeperTLSKey.Key, err)
	}
	t.Certificates = []tls.Certificate{cert}
	return t, nil
}
