package memory

import (
	"testing"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/hatest"
)

// harness makes stores in memory.
func harness() hatest.Harness {
	return hatest.Harness{Bubble: true, Short: 6 * time.Second, Long: time.Minute, New: func(*testing.T) hatest.Site {
		hub := NewHub(6 * time.Second)
		return hatest.Site{
			Open: func(t *testing.T, cluster string, _ time.Duration, link *hatest.Link) ha.Store {
				s, err := hub.Open(cluster)
				if err != nil {
					t.Fatal(err)
				}
				link.OnChange = func(cut bool) {
					if cut {
						s.Cut()
					} else {
						s.Heal()
					}
				}
				return s
			},
			Admin: func(*testing.T) ha.Admin { return hub },
		}
	}}
}

func TestConformance(t *testing.T) { hatest.Run(t, harness()) }

func TestSimulation(t *testing.T) { hatest.Simulate(t, harness(), 1, hatest.Seeds(t, 150)) }
