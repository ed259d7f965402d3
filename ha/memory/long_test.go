//go:build realhadoop && long

package memory

import (
	"testing"

	"github.com/weft-project/weft/ha/hatest"
)

// A thousand days more.
func TestLongSimulation(t *testing.T) {
	hatest.Simulate(t, harness(), 1001, hatest.Seeds(t, 1000))
}
