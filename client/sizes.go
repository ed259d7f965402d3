package client

import (
	"fmt"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/plural"
)

// describeSizes says in a line how the containers' memory is split, and which keys decided: the keys are Flink's, the parts are not.
func describeSizes(c *config.Config, s spec.Sizes) string {
	from := func(key string) string {
		source := c.Source(key)
		if source == "default" {
			return source
		}
		if spelled := c.Spelled(key); spelled != key {
			return spelled + ", " + source
		}
		return source
	}
	own, slot := s.TaskManagerSplitMB()
	return fmt.Sprintf("JobManager: %d MB (%s). TaskManagers: %d MB (%s), of which %d MB are their own, and %d MB for each of %s.",
		s.JobManagerMB, from(config.JobManagerMemory.Key), s.TaskManagerMB, from(config.TaskManagerMemory.Key), own, slot, plural.Of(s.Slots, "slot"))
}
