package am

import (
	"testing"

	"github.com/weft-project/weft/config"
)

// A configuration that came from Flink has rest.bind-address: localhost; the proxy and the clients must get in all the same.
func TestRESTHost(t *testing.T) {
	for set, want := range map[string]string{"": "node1", "localhost": "node1", "0.0.0.0": "0.0.0.0", "10.0.0.7": "10.0.0.7"} {
		c := config.New()
		if set != "" {
			c.Set(config.File, "rest.bind-address", set, "")
		}
		if got := restHost(c, "node1"); got != want {
			t.Errorf("rest.bind-address %q: %s, expected %s", set, got, want)
		}
	}
}
