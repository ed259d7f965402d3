package client

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/security"
)

// execution.target: remote goes to rest.address unless the command line names another place.
func TestRemoteTarget(t *testing.T) {
	c, _, _ := testClient(t)
	c.Config.Set(config.File, "rest.address", "jm", "")
	c.Config.Set(config.File, "rest.port", "9000", "")
	c.Config.Set(config.CommandLine, "execution.target", "yarn-session", "-t")
	if _, err := c.FindSession(t.Context(), Which{}); err == nil {
		t.Error("rest.address is used although the target is no remote cluster")
	}
	// Without a target and without a session on YARN it is what is there.
	c.Config.Unset("execution.target")
	if s, err := c.FindSession(t.Context(), Which{}); err != nil || s.Address != "jm:9000" {
		t.Errorf("without a target: %+v, %v", s, err)
	}
	c.Config.Set(config.CommandLine, "execution.target", "remote", "-t")
	for master, want := range map[string]string{"": "jm:9000", "other:1": "other:1"} {
		s, err := c.FindSession(t.Context(), Which{Master: master})
		if err != nil || s.Address != want || !s.App.IsZero() {
			t.Errorf("-m %q: %+v, %v; expected %s", master, s, err, want)
		}
	}
}

// The token of a standalone cluster goes to that cluster only.
func TestStandaloneToken(t *testing.T) {
	c, _, _ := testClient(t)
	c.ConfDir = t.TempDir()
	if _, err := c.FindSession(t.Context(), Which{}); err == nil {
		t.Error("a configuration without address and secret has a cluster")
	}
	secret := security.NewSecret()
	if err := security.WriteSecretFile(filepath.Join(c.ConfDir, "secret"), secret); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.ConfDir, "masters"), []byte("127.0.0.7:9999 # the only one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := secret.Derive(security.LabelRESTOwner).Hex()
	for master, want := range map[string]string{"": own, "127.0.0.7:1234": own, "http://localhost:1": own, "127.0.0.8:9999": ""} {
		s, err := c.FindSession(t.Context(), Which{Master: master})
		if err != nil || s.token != want {
			t.Errorf("-m %q: token of %d characters, %v", master, len(s.token), err)
		}
		if master == "" && s.Address != "127.0.0.7:9999" {
			t.Errorf("address %s", s.Address)
		}
	}
}
