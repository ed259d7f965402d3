package jobmanager_test

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/await"
)

// A TaskManager on a node that goes away gets no more jobs, is given back when it has none, and another one is asked for.
func TestDraining(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	c.say().TaskManagerDraining("a", "its node is being decommissioned")
	c.releases("a")
	contains(t, tm.shutdown(), "nothing to do")
	c.say().TaskManagerDraining("b", "its node is being decommissioned")
	c.say().TaskManagerDraining("b", "")
	b := c.tm("b", 1)
	job := c.run(1)
	b.startWorker()
	c.say().TaskManagerDraining("b", "the scheduler wants its container back")
	c.run(1)
	c.requires(2)
	if s := strings.Join(story(c.now(job)), "\n"); strings.Contains(s, "RESTARTING") {
		t.Errorf("the job that ran was disturbed:\n%s", s)
	}
}

// A job that waits is told why, and what happens to nodes.
func TestShortage(t *testing.T) {
	c := start(t, 1, nil)
	job := c.run(2)
	c.requires(2)
	c.say().Note("node x is left out")
	c.driver.mu.Lock()
	c.driver.shortage = "the queue is full"
	c.driver.mu.Unlock()
	await.Until(t, "it is told why", func() bool {
		s := strings.Join(story(c.now(job)), "\n")
		return strings.Contains(s, "still waiting for 2 slots: the queue is full") && strings.Contains(s, "node x is left out")
	})
}
