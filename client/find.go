package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/security"
	"github.com/weft-project/weft/yarnrpc"
)

// Which names the session a command is for; empty fields look into the configuration and the properties file.
type Which struct {
	// Application is -id or -yid.
	Application string
	// Master is -m: host:port of a JobManager, or YarnCluster.
	Master string
}

// YarnCluster is the -m that means a cluster on YARN, not an address.
const YarnCluster = "yarn-cluster"

// newSession makes the handle of a session.
func (c *Client) newSession(app yarnrpc.ApplicationID, address, token string) (*Session, error) {
	o := rest.ClientOptions{Address: address, Token: token, Timeout: config.Get(c.Config, config.ClientTimeout), Negotiate: c.negotiate}
	if !app.IsZero() {
		o.TokenFile = filepath.Join(c.appDir(app), tokenFile)
	}
	r, err := rest.NewClient(o)
	if err != nil {
		return nil, usage("%w", err)
	}
	return &Session{client: c, App: app, Address: address, token: token, rest: r}, nil
}

// AttachTo finds a running session by its id; the ResourceManager is asked in any case.
func (c *Client) AttachTo(ctx context.Context, application string) (*Session, error) {
	app, err := yarnrpc.ParseApplicationID(application)
	if err != nil {
		return nil, usage("-id: %w", err)
	}
	return c.askForSession(ctx, app)
}

// UseProperties puts the settings that the session of the properties file was started with below those of the command line.
// Nothing happens when another cluster was named.
func (c *Client) UseProperties(w Which) {
	if w.Application != "" || w.Master != "" || c.Config.IsSet(config.ApplicationID.Key) {
		return
	}
	switch config.Get(c.Config, config.Target) {
	case config.TargetPerJob, config.TargetApplication:
		return
	}
	p, err := c.readProperties()
	if err != nil {
		return
	}
	for k, v := range p.dynamic {
		c.Config.Set(config.Saved, k, v, c.propertiesFile())
	}
}

// FindSession finds the session that commands are for. The ResourceManager is asked only where this machine does not know
// the JobManager's address.
func (c *Client) FindSession(ctx context.Context, w Which) (*Session, error) {
	if w.Master != "" && w.Master != YarnCluster {
		return c.byAddress(ctx, w.Master)
	}
	id, from := w.Application, "the command line"
	if id == "" {
		id, from = config.Get(c.Config, config.ApplicationID), c.Config.Source(config.ApplicationID.Key)
	}
	if id != "" {
		app, err := yarnrpc.ParseApplicationID(id)
		if err != nil {
			return nil, usage("%w (from %s)", err, from)
		}
		return c.byApplication(ctx, app)
	}
	standalone, err := c.standaloneAddress()
	if err != nil {
		return nil, err
	}
	target := config.Get(c.Config, config.Target)
	if target == "remote" {
		return c.byAddress(ctx, standalone)
	}
	p, err := c.readProperties()
	if errors.Is(err, errNoProperties) {
		if target == "" && standalone != "" {
			return c.byAddress(ctx, standalone)
		}
		return nil, unreachable("there is no session: %s does not exist; start one with yarn-session.sh -d, or name one with -yid or -m host:port; for a cluster without YARN set rest.address, or run start-cluster.sh", c.propertiesFile())
	}
	if err != nil {
		return nil, &Failure{ExitUsage, err}
	}
	return c.byApplication(ctx, p.application)
}

// byAddress is for -m host:port.
func (c *Client) byAddress(ctx context.Context, master string) (*Session, error) {
	if !strings.Contains(master, ":") {
		return nil, usage("-m %s: expected host:port", master)
	}
	// The token is that of the application on this machine's list with that address.
	for _, app := range c.remembered() {
		if token, address := c.recall(app); sameAddress(address, master) {
			return c.newSession(app, master, token)
		}
	}
	return c.atAddress(ctx, master)
}

// sameAddress compares host:port with what was given, perhaps as a URL.
func sameAddress(known, given string) bool {
	given = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(given, "http://"), "https://"), "/")
	return known != "" && strings.EqualFold(known, given)
}

// byApplication finds the JobManager of an application.
func (c *Client) byApplication(ctx context.Context, app yarnrpc.ApplicationID) (*Session, error) {
	// What lies on this machine would do; but who has no ticket (any more) is nobody to a secured cluster.
	if err := c.logIn(ctx); err != nil {
		return nil, err
	}
	token, address := c.recall(app)
	if token != "" && address != "" {
		return c.newSession(app, address, token)
	}
	return c.askForSession(ctx, app)
}

// askForSession finds the JobManager of an application through the ResourceManager, and the token in the application's
// directory in HDFS.
func (c *Client) askForSession(ctx context.Context, app yarnrpc.ApplicationID) (*Session, error) {
	if err := c.logIn(ctx); err != nil {
		return nil, err
	}
	report, err := c.running(ctx, app)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(report.Host, strconv.Itoa(report.Port))
	token, _ := c.recall(app)
	if token == "" {
		token, err = c.stagedToken(ctx, app)
		if err != nil && report.User != c.user() && c.authorization() != nil {
			// Somebody else's application, which may take our ticket (security.rest.auth: kerberos).
			return c.newSession(app, address, "")
		}
		if err != nil {
			return nil, fmt.Errorf("access to %s: %w", app, err)
		}
	}
	if err := c.remember(app, token, address); err != nil {
		return nil, err
	}
	return c.newSession(app, address, token)
}

// running asks for the report of an application and refuses one that does not run.
func (c *Client) running(ctx context.Context, app yarnrpc.ApplicationID) (yarnrpc.ApplicationReport, error) {
	rm, err := c.resourceManager()
	if err != nil {
		return yarnrpc.ApplicationReport{}, err
	}
	report, err := settled(ctx, rm, app)
	switch {
	case errors.Is(err, yarnrpc.ErrApplicationNotFound):
		return report, c.gone(app, fmt.Sprintf("the ResourceManager does not know %s (any more)", app))
	case err != nil:
		return report, explainRM(err)
	case report.State.Ended():
		c.discardDead(ctx, app)
		return report, c.gone(app, explainEnded(report))
	case report.State != yarnrpc.StateRunning:
		return report, unreachable("the session %s is not running yet, it is %s", app, report.State)
	case hidden(report):
		return report, c.notShown(report)
	case report.Host == "":
		return report, unreachable("the JobManager of %s has ended, and YARN has not said within %v what becomes of the application", app, settleLimit)
	}
	return report, nil
}

const (
	// noticeLimit is how long YARN gets to notice that a JobManager has ended, settleLimit to decide then what becomes of the
	// application.
	noticeLimit = 5 * time.Second
	settleLimit = 20 * time.Second
)

// hidden tells a report about an application that we may not look at: nothing but its owner and state are in it, not even that
// there is an attempt.
func hidden(report yarnrpc.ApplicationReport) bool {
	return report.State == yarnrpc.StateRunning && report.Host == "" && report.Attempt.Number < 1
}

// notShown is what YARN's silence about an application means to us.
func (c *Client) notShown(report yarnrpc.ApplicationReport) error {
	return unreachable("only its owner can use it: %s runs as %s, and the ResourceManager shows nothing more of it to %s, whom neither its yarn.view.acls nor the queue's administrators name",
		report.ID, report.User, c.user())
}

// settled asks for the report of an application. While its JobManager ends or is killed, YARN still calls it running, without an
// address: what comes of it is waited for.
func settled(ctx context.Context, rm *yarnrpc.ClientRM, app yarnrpc.ApplicationID) (yarnrpc.ApplicationReport, error) {
	for deadline := time.Now().Add(settleLimit); ; {
		report, err := rm.Report(ctx, app)
		if err != nil || report.State != yarnrpc.StateRunning || report.Host != "" || hidden(report) || time.Now().After(deadline) {
			return report, err
		}
		if err := delay.For(ctx, lostPoll); err != nil {
			return report, err
		}
	}
}

// discardDead removes what an application that has ended could not remove itself, as far as that goes quickly.
func (c *Client) discardDead(ctx context.Context, app yarnrpc.ApplicationID) {
	ctx, cancel := context.WithTimeout(ctx, sweepGrace)
	defer cancel()
	st, err := c.openStaging()
	if err == nil {
		err = c.discardDeadApplication(ctx, st, app.String())
	}
	if err != nil {
		c.Log.Debug("remove the files of a dead application", "application", app.String(), "error", err)
	}
}

// gone tells that a session has ended, and forgets it.
func (c *Client) gone(app yarnrpc.ApplicationID, how string) error {
	named := ""
	if p, err := c.readProperties(); err == nil && p.application == app {
		named = fmt.Sprintf(" (it was the session of %s, which has been removed)", c.propertiesFile())
	}
	if err := c.forget(app); err != nil {
		c.Log.Debug("forget a session", "application", app.String(), "error", err)
	}
	return unreachable("the session is gone: %s%s; start another one with yarn-session.sh -d", how, named)
}

// stagedToken derives the owner's token from the secret in the application's private directory.
func (c *Client) stagedToken(ctx context.Context, app yarnrpc.ApplicationID) (string, error) {
	st, err := c.openStaging()
	if err != nil {
		return "", explainStore(err)
	}
	b, err := st.ReadPrivate(ctx, app.String(), spec.Secret, 256)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", unreachable("only its owner can use it: %w", err)
	}
	if err != nil {
		return "", explainStore(err)
	}
	secret, err := security.ParseSecret(strings.TrimSpace(string(b)))
	if err != nil {
		return "", fmt.Errorf("the secret of %s in %s: %w", app, st.URI(), err)
	}
	return secret.Derive(restTokenLabel).Hex(), nil
}

// explain turns an error of a REST call into what has happened to the session: when nobody answers, the ResourceManager
// knows whether the application has ended.
func (s *Session) explain(ctx context.Context, err error) error {
	var broken *rest.Unreachable
	if !errors.As(err, &broken) || ctx.Err() != nil {
		return err
	}
	if s.App.IsZero() {
		return &Failure{ExitUnreachable, err}
	}
	for deadline := time.Now().Add(noticeLimit); ; {
		report, rmErr := s.client.running(ctx, s.App)
		if rmErr != nil {
			return rmErr
		}
		if time.Now().After(deadline) {
			return unreachable("%w (%s is RUNNING, its JobManager registered as %s:%d)", err, s.App, report.Host, report.Port)
		}
		if err := delay.For(ctx, lostPoll); err != nil {
			return err
		}
	}
}

// try does a REST call; when the JobManager is not where it was last, it is looked for once.
func try[T any](ctx context.Context, s *Session, call func(*rest.Client) (T, error)) (T, error) {
	v, err := call(s.rest)
	var broken *rest.Unreachable
	if !errors.As(err, &broken) || ctx.Err() != nil {
		return v, err
	}
	if s.App.IsZero() {
		return v, s.explain(ctx, err)
	}
	again, findErr := s.client.askForSession(ctx, s.App)
	if findErr != nil {
		return v, findErr
	}
	if again.Address == s.Address {
		return v, s.explain(ctx, err)
	}
	s.Address, s.rest, s.token = again.Address, again.rest, again.token
	return call(s.rest)
}

// exists tells whether a local path is there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
