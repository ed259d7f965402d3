package client

import (
	"testing"

	"github.com/weft-project/weft/config"
)

// execution.target: remote goes to rest.address unless the command line names another place.
func TestRemoteTarget(t *testing.T) {
	c, _, _ := testClient(t)
	c.Config.Set(config.File, "rest.address", "jm", "")
	c.Config.Set(config.File, "rest.port", "9000", "")
	if _, err := c.FindSession(t.Context(), Which{}); err == nil {
		t.Error("rest.address is used although the target is no remote cluster")
	}
	c.Config.Set(config.CommandLine, "execution.target", "remote", "-t")
	for master, want := range map[string]string{"": "jm:9000", "other:1": "other:1"} {
		s, err := c.FindSession(t.Context(), Which{Master: master})
		if err != nil || s.Address != want || !s.App.IsZero() {
			t.Errorf("-m %q: %+v, %v; expected %s", master, s, err, want)
		}
	}
}
