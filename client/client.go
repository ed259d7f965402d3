package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/yarnrpc"
)

// Client is what the commands of one process share. Fill the exported fields; Close it.
type Client struct {
	Config  *config.Config
	Console *Console
	Log     *slog.Logger
	Getenv  func(string) string
	Stdin   io.Reader
	// Home is the user's home directory on this machine.
	Home string
	// ConfDir is where the configuration was read; empty where there is none.
	ConfDir string
	// Executable is the path of this weft binary.
	Executable string
	Version    string
	// OpenFiles makes the file systems for a Hadoop configuration and who uses them.
	OpenFiles func(conf *hadoopconf.Conf, who *identity.Identity, log *slog.Logger) (*fs.Registry, error)

	mu     sync.Mutex
	hadoop *hadoopconf.Conf
	who    *identity.Identity
	rm     *yarnrpc.ClientRM
	stores *fs.Registry
}

// Failure is an error with the exit code that the command should end with.
type Failure struct {
	Code int
	Err  error
}

// Exit codes of the commands.
const (
	// ExitFailed: the job or the cluster failed.
	ExitFailed = 1
	// ExitUsage: the command line, the configuration or the job's binary is wrong.
	ExitUsage = 2
	// ExitUnreachable: there is no session, or it does not answer.
	ExitUnreachable = 3
	// ExitInterrupted: ended by Ctrl-C.
	ExitInterrupted = 130
)

// Error gives the cause's text.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

func usage(format string, args ...any) error {
	return &Failure{ExitUsage, fmt.Errorf(format, args...)}
}

func unreachable(format string, args ...any) error {
	return &Failure{ExitUnreachable, fmt.Errorf(format, args...)}
}

// Hadoop gives the Hadoop configuration, read at the first call. Properties flink.hadoop.KEY and flink.yarn.KEY of the
// configuration win over the files.
func (c *Client) Hadoop() (*hadoopconf.Conf, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hadoop != nil {
		return c.hadoop, nil
	}
	getenv := func(name string) string {
		v := c.Getenv(name)
		if v == "" && name == "HADOOP_CONF_DIR" {
			v = config.Get(c.Config, config.HadoopConfDir)
		}
		if v == "" && name == "YARN_CONF_DIR" {
			v = config.Get(c.Config, config.YARNConfDir)
		}
		return v
	}
	conf, err := hadoopconf.Load(getenv)
	if err != nil {
		return nil, &Failure{ExitUsage, err}
	}
	for k, v := range c.Config.WithPrefix("flink.hadoop.") {
		conf.Set(k, v)
	}
	for k, v := range c.Config.WithPrefix("flink.yarn.") {
		conf.Set("yarn."+k, v)
	}
	c.hadoop = conf
	return conf, nil
}

// User is who Hadoop sees: on a secured cluster whom ticket, key table or tokens name, else HADOOP_USER_NAME or the user of this
// process. HADOOP_PROXY_USER is for whom that one acts, and then counts.
func (c *Client) User(conf *hadoopconf.Conf) string {
	who, err := c.identityOn(conf)
	if err != nil {
		return c.localUser() // what needs the identity itself says what is wrong
	}
	return who.Effective()
}

// resourceManager gives the client of the ResourceManager, made at the first call.
func (c *Client) resourceManager() (*yarnrpc.ClientRM, error) {
	conf, err := c.Hadoop()
	if err != nil {
		return nil, err
	}
	who, err := c.identityOn(conf)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rm != nil {
		return c.rm, nil
	}
	var said time.Time
	c.rm, err = yarnrpc.NewClientRM(conf, yarnrpc.Options{
		User: who.User, ProxyUser: who.ProxyUser, Kerberos: who.Login, Credentials: who.Credentials(),
		Log: c.Log,
		OnRetry: func(err error, wait time.Duration) {
			// Attempts come every second or two; one line now and then is enough to see that it waits and for whom.
			if time.Since(said) > 10*time.Second {
				said = time.Now()
				c.Console.Say("The ResourceManager does not answer, trying again: %v", err)
			}
		},
	})
	return c.rm, err
}

// files gives the file systems, made at the first call. Paths without a scheme are on fs.default-scheme, else fs.defaultFS.
func (c *Client) files() (*fs.Registry, error) {
	conf, err := c.Hadoop()
	if err != nil {
		return nil, err
	}
	who, err := c.identityOn(conf)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stores != nil {
		return c.stores, nil
	}
	stores, err := c.OpenFiles(conf, who, c.Log)
	if err != nil {
		return nil, &Failure{ExitUsage, err}
	}
	if scheme := config.Get(c.Config, config.DefaultScheme); scheme != "" {
		stores.SetDefault(scheme)
	}
	c.stores = stores
	return stores, nil
}

// Close gives connections back.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rm != nil {
		c.rm.Close()
	}
	if c.stores != nil {
		if err := c.stores.Close(); err != nil {
			c.Log.Debug("close file systems", "error", err)
		}
	}
}

// explainRM turns an error of a call to the ResourceManager into a sentence.
func explainRM(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if known := loginFailure(err); known != nil {
		return known
	}
	return unreachable("ResourceManager: %w (is YARN up, and is the Hadoop configuration that of the right cluster?)", err)
}

// oneLine makes a remote text fit into a sentence.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
