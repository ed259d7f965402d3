package jobmanager_test

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/await"
)

// The end of a TaskManager that was given back because it was idle is no news for a job that waits for another.
func TestEndOfAnIdleTaskManager(t *testing.T) {
	c := start(t, 1, map[string]string{"resourcemanager.taskmanager-timeout": "1 ms"})
	c.tm("a", 1)
	c.releases("a")
	job := c.run(1)
	c.requires(1)
	c.say().TaskManagerLost("a", "container a was released")
	c.say().TaskManagerLost("b", "container b did not start")
	await.Until(t, "the end of b is told", func() bool {
		return strings.Contains(strings.Join(story(c.now(job)), "\n"), "container b did not start")
	})
	if told := strings.Join(story(c.now(job)), "\n"); strings.Contains(told, "container a") {
		t.Errorf("the job was told:\n%s", told)
	}
}
