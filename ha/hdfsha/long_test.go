//go:build realhadoop && long

package hdfsha

import (
	"testing"

	"github.com/weft-project/weft/ha/hatest"
)

// A thousand days more.
func TestLongSimulation(t *testing.T) {
	h := harness()
	h.New = func(*testing.T) hatest.Site { return site(newMemFS(), "/ha") }
	hatest.Simulate(t, h, 1001, hatest.Seeds(t, 1000))
}
