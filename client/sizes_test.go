package client

import (
	"testing"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
)

func TestDescribeSizes(t *testing.T) {

	for want, values := range map[string]map[string]string{
		"JobManager: 1600 MB (default). TaskManagers: 1728 MB (default), of which 64 MB are their own, and 1664 MB for each of 1 slot.": {},
		"JobManager: 1024 MB (jobmanager.heap.mb, the configuration file). TaskManagers: 1728 MB (from taskmanager.memory.flink.size, the configuration file), " +
			"of which 64 MB are their own, and 416 MB for each of 4 slots.": {
			"jobmanager.heap.mb": "1024", "taskmanager.memory.flink.size": "1280m", "taskmanager.numberOfTaskSlots": "4",
		},
	} {
		c := config.FromMap(values)
		s, err := spec.ContainerSizes(c, hadoopconf.New(nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := describeSizes(c, s); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
