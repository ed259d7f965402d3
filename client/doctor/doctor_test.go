package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/client/doctor"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	"github.com/weft-project/weft/internal/fs/local"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/rpc/rpctest"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/yarnrpc"
)

// clinic is a machine whose parts are taken apart by tests.
type clinic struct {
	t       *testing.T
	options doctor.Options
	hadoop  *hadoopconf.Conf
	env     map[string]string
}

// newClinic is one with a home directory on this machine and servers that are set by the test.
func newClinic(t *testing.T, keys ...string) *clinic {
	t.Helper()
	c := &clinic{t: t, hadoop: hadoopconf.New(nil), env: map[string]string{"HADOOP_USER_NAME": "ada"}}
	c.set("fs.defaultFS", "file:///")
	for i := 0; i+1 < len(keys); i += 2 {
		c.set(keys[i], keys[i+1])
	}
	conf := config.New()
	conf.Set(config.CommandLine, config.StagingDirectory.Key, t.TempDir(), "-D")
	c.options = doctor.Options{
		Config: conf, Hadoop: func() (*hadoopconf.Conf, error) { return c.hadoop, nil },
		Who: func(h *hadoopconf.Conf) (*identity.Identity, error) {
			return identity.FromEnvironment(h, identity.Source{Setting: func(string) string { return "" }, Getenv: func(k string) string { return c.env[k] }})
		},
		Getenv: func(k string) string { return c.env[k] },
		OpenFiles: func(*hadoopconf.Conf, *identity.Identity, *slog.Logger) (*fs.Registry, error) {
			r := fs.NewRegistry()
			r.Register("file", local.Factory)
			return r, nil
		},
		CheckSizes: func(spec.Sizes, yarnrpc.Resource, []yarnrpc.NodeReport) error { return nil },
		Log:        slog.New(slog.DiscardHandler),
		LookupHost: func(_ context.Context, host string) ([]string, error) {
			if strings.HasPrefix(host, "nowhere") {
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			}
			return []string{"127.0.0.1"}, nil
		},
	}
	return c
}

func (c *clinic) set(key, value string) { c.hadoop.Set(key, value) }

// run gives the lines of all findings.
func (c *clinic) run() (doctor.Report, string) {
	c.t.Helper()
	var lines strings.Builder
	c.options.Tell = func(f doctor.Finding) { fmt.Fprintln(&lines, f) }
	r, err := doctor.Run(c.t.Context(), c.options)
	if err != nil {
		c.t.Fatal(err)
	}
	return r, lines.String()
}

// finds checks that there is a line of a status with all of texts.
func (c *clinic) finds(lines string, status doctor.Status, texts ...string) {
	c.t.Helper()
	for line := range strings.Lines(lines) {
		all := strings.HasPrefix(line, string(status)+" ")
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			return
		}
	}
	c.t.Errorf("no line %q with %q in\n%s", status, texts, lines)
}

// serve is a server on loopback whose connections are treated by f.
func serve(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f(c)
		}
	}()
	return l.Addr().String()
}

// hadoopServer is a fake Hadoop RPC server.
func hadoopServer(t *testing.T, cfg rpctest.Config) string {
	t.Helper()
	if cfg.Handle == nil {
		cfg.Handle = func(rpctest.Call) (proto.Message, error) {
			return nil, &rpc.RemoteError{Class: "org.apache.hadoop.security.AccessControlException", Message: "ada may not"}
		}
	}
	s, err := rpctest.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.Addr()
}

// closedPort is one where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestConfigurations(t *testing.T) {
	c := newClinic(t)
	c.options.Hadoop = func() (*hadoopconf.Conf, error) { return nil, hadoopconf.ErrNoConfiguration }
	r, lines := c.run()
	c.finds(lines, doctor.Problem, "configuration", "no hadoop configuration found")
	if r.Cause() != doctor.CauseSettings || len(r.Findings) != 2 {
		t.Errorf("without a Hadoop configuration: %+v", r)
	}

	c = newClinic(t, "yarn.resourcemanager.ha.enabled", "true")
	_, lines = c.run()
	c.finds(lines, doctor.Problem, "rm-ids is empty", "yarn-site.xml")

	c = newClinic(t, "yarn.resourcemanager.address", closedPort(t))
	c.options.Config.Unset(config.StagingDirectory.Key)
	c.options.Config.Set(config.CommandLine, config.TaskManagerMemory.Key, "70m", "-tm")
	_, lines = c.run()
	c.finds(lines, doctor.Problem, "fs.defaultFS", "core-site.xml")
	c.finds(lines, doctor.Problem, "taskmanager.memory.process.size is 70 MiB (-tm)")

	c = newClinic(t, "yarn.resourcemanager.address", "0.0.0.0:8032")
	c.options.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	_, lines = c.run()
	c.finds(lines, doctor.Problem, "no ResourceManager is configured", "yarn-site.xml")
}

func TestNamesAndPorts(t *testing.T) {
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := newClinic(t, "yarn.resourcemanager.address", "nowhere.example:8032", "fs.defaultFS", "hdfs://nowhere2.example:8020")
	c.options.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	c.options.Config.Set(config.CommandLine, config.RESTBindPort.Key, port, "-D")
	_, lines := c.run()
	c.finds(lines, doctor.Problem, "names", "ResourceManager nowhere.example has no address: no such host")
	c.finds(lines, doctor.Problem, "names", "NameNode nowhere2.example has no address")
	c.finds(lines, doctor.Warning, "rest.bind-port is the one port "+port)
}

// Servers that are down, are something else, or want what we have not.
func TestServers(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	silent := serve(t, func(c net.Conn) { defer c.Close(); _, _ = c.Read(make([]byte, 1)); <-t.Context().Done() })
	tokens := hadoopServer(t, rpctest.Config{Tokens: func() []token.Token { return nil }})
	for _, s := range []struct {
		address string
		cause   doctor.Cause
		texts   []string
	}{
		{closedPort(t), doctor.CauseUnreachable, []string{"does not answer", "refused", "yarn.resourcemanager.address"}},
		{strings.TrimPrefix(web.URL, "http://"), doctor.CauseSettings, []string{"does not speak Hadoop RPC", "not that of the web pages"}},
		{silent, doctor.CauseUnreachable, []string{"takes connections, but gives no answer within"}},
		{tokens, doctor.CauseSettings, []string{"takes TOKEN DIGEST-MD5 only", "without Kerberos"}},
	} {
		c := newClinic(t, "yarn.resourcemanager.address", s.address, "yarn.resourcemanager.webapp.address", closedPort(t))
		if s.address == silent {
			c.options.Patience = 500 * time.Millisecond
		}
		r, lines := c.run()
		c.finds(lines, doctor.Problem, append(s.texts, "ResourceManager", s.address)...)
		if r.Cause() < s.cause || r.Status != doctor.Problem {
			t.Errorf("%s: cause %v, status %s, expected %v:\n%s", s.address, r.Cause(), r.Status, s.cause, lines)
		}
		c.finds(lines, doctor.Warning, "clock", "is not known")
	}
}

func TestRefused(t *testing.T) {
	c := newClinic(t, "yarn.resourcemanager.address", hadoopServer(t, rpctest.Config{}))
	r, lines := c.run()
	c.finds(lines, doctor.OK, "ResourceManager", "SIMPLE, without protection")
	c.finds(lines, doctor.Problem, "ada may not", "ask an administrator")
	if r.Cause() != doctor.CauseCluster || r.Problems != 1 {
		t.Errorf("%+v", r)
	}
}

// A secured cluster without ticket or key table is said so, and looked at no further.
func TestNoTicket(t *testing.T) {
	krb5 := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(krb5, []byte("[libdefaults]\n default_realm = EXAMPLE.ORG\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newClinic(t, "yarn.resourcemanager.address", closedPort(t), "hadoop.security.authentication", "kerberos")
	c.env = map[string]string{"KRB5_CONFIG": krb5, "KRB5CCNAME": "FILE:" + filepath.Join(t.TempDir(), "none"), "HADOOP_USER_NAME": "eve"}
	_, lines := c.run()
	c.finds(lines, doctor.Problem, "login", "kinit", "EXAMPLE.ORG")
	if strings.Contains(lines, "ResourceManager") {
		t.Errorf("it went on without a login:\n%s", lines)
	}
}

func TestClocksAndVersions(t *testing.T) {
	for _, s := range []struct {
		ahead   time.Duration
		version string
		status  doctor.Status
		texts   []string
	}{
		{0, "3.4.2", doctor.OK, []string{"clock", "agrees"}},
		{time.Hour, "3.4.2", doctor.Warning, []string{"clock", "ahead of", "NTP"}},
		{-time.Hour, "3.4.2", doctor.Warning, []string{"clock", "behind"}},
		{0, "2.7.3", doctor.Warning, []string{"versions", "ResourceManager 2.7.3", "Hadoop 3"}},
		{0, "3.4.2", doctor.OK, []string{"versions", "ResourceManager 3.4.2", "2 nodes 3.4.2"}},
	} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(s.ahead).UTC().Format(http.TimeFormat))
			switch r.URL.Path {
			case "/ws/v1/cluster/info":
				fmt.Fprintf(w, `{"clusterInfo":{"hadoopVersion":%q}}`, s.version)
			case "/ws/v1/cluster/nodes":
				fmt.Fprintf(w, `{"nodes":{"node":[{"version":%q},{"version":%q}]}}`, s.version, s.version)
			}
		}))
		c := newClinic(t, "yarn.resourcemanager.address", hadoopServer(t, rpctest.Config{}), "yarn.resourcemanager.webapp.address", strings.TrimPrefix(web.URL, "http://"))
		_, lines := c.run()
		c.finds(lines, s.status, s.texts...)
		web.Close()
	}
}

func TestHomeDirectory(t *testing.T) {
	address := hadoopServer(t, rpctest.Config{Handle: func(rpctest.Call) (proto.Message, error) { return &commonpb.GetGroupsForUserResponse{}, nil }})
	home := t.TempDir()
	c := newClinic(t, "yarn.resourcemanager.address", address)
	c.options.Config.Set(config.CommandLine, config.StagingDirectory.Key, home, "-D")
	_, lines := c.run()
	c.finds(lines, doctor.OK, "home directory", home, "can be written and removed")
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	c.options.Config.Set(config.CommandLine, config.StagingDirectory.Key, home+"/none", "-D")
	_, lines = c.run()
	c.finds(lines, doctor.Problem, "home directory", home+"/none does not exist", "hdfs dfs -chown ada")
	file := filepath.Join(home, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.options.Config.Set(config.CommandLine, config.StagingDirectory.Key, file, "-D")
	_, lines = c.run()
	c.finds(lines, doctor.Problem, "home directory", "is a file")
}

// quotaStore is a store whose NameNode tells a quota.
type quotaStore struct {
	fs.FileSystem
	quota hdfs.Quota
}

func (quotaStore) Groups(context.Context, string) ([]string, error) {
	return []string{"staff", "etl"}, nil
}

func (s quotaStore) Quota(context.Context, string) (hdfs.Quota, error) { return s.quota, nil }

func TestQuota(t *testing.T) {
	address := hadoopServer(t, rpctest.Config{})
	for _, s := range []struct {
		quota  hdfs.Quota
		status doctor.Status
		texts  []string
	}{
		{hdfs.Quota{NameLimit: -1, SpaceLimit: -1}, doctor.OK, []string{"has none"}},
		{hdfs.Quota{Names: 10, NameLimit: 1000, Space: 1 << 30, SpaceLimit: 10 << 30}, doctor.OK, []string{"10 files and directories (limit 1000) and 1024 MiB with all replicas (limit 10240 MiB)"}},
		{hdfs.Quota{Names: 10, NameLimit: -1, Space: 1 << 30, SpaceLimit: 1<<30 + 100<<20}, doctor.Problem, []string{"100 MiB more", "3 replicas counts as 384 MiB", "-setSpaceQuota"}},
		{hdfs.Quota{Names: 990, NameLimit: 1000, SpaceLimit: -1}, doctor.Warning, []string{"10 more files"}},
	} {
		c := newClinic(t, "yarn.resourcemanager.address", address)
		c.options.OpenFiles = func(*hadoopconf.Conf, *identity.Identity, *slog.Logger) (*fs.Registry, error) {
			r := fs.NewRegistry()
			r.Register("file", func(authority string) (fs.FileSystem, error) {
				store, err := local.Factory(authority)
				return quotaStore{store, s.quota}, err
			})
			return r, nil
		}
		_, lines := c.run()
		c.finds(lines, s.status, append(s.texts, "quota")...)
		c.finds(lines, doctor.OK, "groups", "staff, etl")
	}
}

func TestInterrupted(t *testing.T) {
	c := newClinic(t, "yarn.resourcemanager.address", closedPort(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := doctor.Run(ctx, c.options); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
