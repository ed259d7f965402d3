package client

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/yarnrpc"
)

// securedClient is a client of a secured cluster on a machine without a ticket.
func securedClient(t *testing.T) (*Client, *strings.Builder) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"core-site.xml": `<configuration><property><name>hadoop.security.authentication</name><value>kerberos</value></property>` +
			`<property><name>fs.defaultFS</name><value>hdfs://localhost:1</value></property></configuration>`,
		"krb5.conf": "[libdefaults]\n default_realm = WEFT.TEST\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"HADOOP_CONF_DIR": dir, krb.EnvConfig: filepath.Join(dir, "krb5.conf"), krb.EnvCache: filepath.Join(dir, "none"), krb.EnvPrincipal: "ann@WEFT.TEST"}
	var said strings.Builder
	return &Client{Config: config.New(), Console: NewConsole(&said, &said), Log: slog.New(slog.DiscardHandler), Home: t.TempDir(),
		Getenv: func(name string) string { return env[name] }}, &said
}

// Without a ticket nothing is tried: everything that needs the cluster fails with the same sentence.
func TestWithoutTicket(t *testing.T) {
	c, said := securedClient(t)
	var failure *Failure
	app := yarnrpc.ApplicationID{ClusterTimestamp: 1, Number: 1}
	_, byID := c.byApplication(t.Context(), app)
	_, started := c.StartSession(t.Context(), SessionOptions{})
	_, files := c.files()
	_, rm := c.resourceManager()
	for what, err := range map[string]error{"find": byID, "start": started, "files": files, "ResourceManager": rm,
		"run": c.RunJob(t.Context(), Run{Job: "job", Own: true}), "run-application": c.RunApplication(t.Context(), Run{Job: "job"})} {
		if !errors.As(err, &failure) || failure.Code != ExitUsage || !errors.Is(err, krb.ErrNoTicket) || !strings.Contains(err.Error(), "run kinit ann@WEFT.TEST") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if said.Len() > 0 {
		t.Errorf("said before: %q", said.String())
	}
}

// What a server does not take us for is told with what to do, whatever was asked of it.
func TestLoginFailures(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		text string
	}{
		{fmt.Errorf("stat: %w", krb.ErrExpired), ExitUsage, "expired"},
		{fmt.Errorf("call: %w", krb.ErrUnreachable), ExitUnreachable, "no KDC answers"},
		{fmt.Errorf("%w: %w", rpc.ErrHandshake, rpc.ErrInvalidToken), ExitUsage, "tokens that are of no use any more"},
		{fmt.Errorf("call: %w", rpc.ErrHandshake), ExitUsage, "run kinit"},
	} {
		for _, err := range []error{explainRM(c.err), explainStore(c.err)} {
			var failure *Failure
			if !errors.As(err, &failure) || failure.Code != c.code || !strings.Contains(err.Error(), c.text) || !errors.Is(err, c.err) {
				t.Errorf("%v becomes %v", c.err, err)
			}
		}
	}
	if loginFailure(errors.New("something else")) != nil {
		t.Error("any error is one of the log-in")
	}
}

// A report that shows nothing but the state is about somebody else's application; one of an application whose JobManager ends is not.
func TestHiddenReport(t *testing.T) {
	one := yarnrpc.AttemptID{Number: 1}
	for _, c := range []struct {
		report yarnrpc.ApplicationReport
		want   bool
	}{
		{yarnrpc.ApplicationReport{State: yarnrpc.StateRunning, Attempt: yarnrpc.AttemptID{Number: -1}}, true},
		{yarnrpc.ApplicationReport{State: yarnrpc.StateRunning, Attempt: one}, false},
		{yarnrpc.ApplicationReport{State: yarnrpc.StateRunning, Attempt: one, Host: "h"}, false},
		{yarnrpc.ApplicationReport{State: yarnrpc.StateAccepted}, false},
	} {
		if got := hidden(c.report); got != c.want {
			t.Errorf("%+v: %v", c.report, got)
		}
	}
}
