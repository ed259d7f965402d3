package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/security"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/yarnrpc"
)

// blobURI is where TaskManagers find files that were uploaded to their JobManager.
const blobURI = "jobmanager:"

// secretFile is the secret of the standalone cluster of this configuration.
func (c *Client) secretFile() string {
	if c.ConfDir == "" {
		return ""
	}
	return filepath.Join(c.ConfDir, config.SecretFile)
}

// standaloneAddress is where the JobManager of this configuration's standalone cluster serves clients; empty when the
// configuration speaks of none: neither an address nor the secret that the first start of a cluster makes.
func (c *Client) standaloneAddress() (string, error) {
	host, port := config.Get(c.Config, config.RESTAddress), strconv.Itoa(config.Get(c.Config, config.RESTPort))
	if host == "" && !exists(c.secretFile()) && config.Get(c.Config, config.Target) != "remote" {
		return "", nil
	}
	if host == "" {
		masters, err := config.Masters(c.ConfDir)
		if err != nil {
			return "", usage("%w", err)
		}
		host = "localhost"
		if len(masters) > 0 {
			host = masters[0]
			if h, p, err := net.SplitHostPort(masters[0]); err == nil {
				host, port = h, p
			}
		}
	}
	return net.JoinHostPort(host, port), nil
}

// atAddress makes the handle of a JobManager that is known by its address only.
func (c *Client) atAddress(ctx context.Context, master string) (*Session, error) {
	o := rest.ClientOptions{Address: master, Timeout: config.Get(c.Config, config.ClientTimeout), Negotiate: c.negotiate}
	path := c.secretFile()
	if exists(path) && c.ownCluster(ctx, master) {
		secret, err := security.ReadSecretFile(path)
		if errors.Is(err, os.ErrPermission) {
			c.Log.Debug("the secret of the standalone cluster is another user's", "error", err)
		} else if err != nil {
			return nil, &Failure{ExitUsage, err}
		} else {
			o.Token, o.TokenFile = secret.Derive(restTokenLabel).Hex(), path
		}
	}
	r, err := rest.NewClient(o)
	if err != nil {
		return nil, usage("%w", err)
	}
	return &Session{client: c, App: yarnrpc.ApplicationID{}, Address: master, token: o.Token, rest: r}, nil
}

// ownCluster tells whether an address is that of this configuration's standalone cluster: its token is for nobody else.
func (c *Client) ownCluster(ctx context.Context, master string) bool {
	master = strings.TrimPrefix(strings.TrimPrefix(master, "http://"), "https://")
	host, _, err := net.SplitHostPort(strings.TrimSuffix(master, "/"))
	if err != nil {
		return false
	}
	known := []string{"localhost", config.Get(c.Config, config.RESTAddress), config.Get(c.Config, config.JobManagerAddress)}
	if masters, err := config.Masters(c.ConfDir); err == nil {
		for _, m := range masters {
			if h, _, err := net.SplitHostPort(m); err == nil {
				m = h
			}
			known = append(known, m)
		}
	}
	for _, k := range known {
		if k != "" && strings.EqualFold(k, host) {
			return true
		}
	}
	// Other names of the same machine.
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return false
	}
	for _, k := range known {
		own, err := net.DefaultResolver.LookupHost(ctx, k)
		if k != "" && err == nil && slices.ContainsFunc(own, func(a string) bool { return slices.Contains(addresses, a) }) {
			return true
		}
	}
	return false
}

// uploadToJobManager brings the job's binary to a JobManager that keeps files; done is false where it keeps none.
func (r *jobRun) uploadToJobManager(ctx context.Context) (done bool, err error) {
	hash, size, err := r.client.hash(r.bins.cluster)
	if err != nil {
		return false, fmt.Errorf("upload the job: %w", err)
	}
	status, kept, err := r.session.rest.HasBlob(ctx, hash)
	if err != nil || !kept {
		return false, r.session.explain(ctx, err)
	}
	r.binary = &controlpb.BlobRef{Sha256: hash, Size: size, Uri: cmp.Or(status.URI, blobURI), Name: r.bins.name}
	r.ownFiles = true
	if status.Present {
		return true, nil
	}
	f, err := os.Open(r.bins.cluster)
	if err != nil {
		return false, fmt.Errorf("upload the job: %w", err)
	}
	defer f.Close()
	if err := r.session.rest.PutBlob(ctx, hash, size, f); err != nil {
		return false, fmt.Errorf("upload the job: %w", r.session.explain(ctx, err))
	}
	r.client.Console.Say("Uploaded %s to the JobManager", formatSize(size))
	return true, nil
}

// stores are the file systems as the job will see them. A cluster without YARN needs no Hadoop configuration.
func (r *jobRun) stores() (*fs.Registry, error) {
	files, err := r.client.files()
	if r.ownFiles && errors.Is(err, hadoopconf.ErrNoConfiguration) {
		conf := hadoopconf.New(r.client.Getenv)
		return r.client.OpenFiles(conf, identity.New(r.client.User(conf), nil), r.client.Log)
	}
	return files, err
}
