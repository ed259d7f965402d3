package spec

import (
	"fmt"
	"math"

	"github.com/weft-project/weft/config"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
)

// Sizes are the containers of an application.
type Sizes struct {
	// JobManagerMB and TaskManagerMB are memory in MiB.
	JobManagerMB, TaskManagerMB         int
	JobManagerVCores, TaskManagerVCores int
	Slots                               int
	// Main tells that the job's main runs beside the JobManager, in its container.
	Main bool
	// Raised says, in a sentence, that containers are larger than configured, and why; empty when they are not.
	Raised string
}

// Address space in MiB that processes map beyond the memory they use, as measured: a bare Go process maps about 1.25 GiB,
// most of it never touched.
const (
	processSpaceMB = 1280
	// slackMB is for what else a process maps: its binary, stacks, mapped files.
	slackMB = 128
)

// What package taskexec refuses to run with less of, in MiB: its own reserve and the least share of a slot.
const (
	taskManagerReserveMB = 64
	leastSlotMB          = 32
)

// ContainerSizes reads the sizes from the configuration, and raises them where the NodeManagers check virtual memory.
//
// The check counts address space, not memory: a container of m MiB may map ratio × m (yarn.nodemanager.vmem-pmem-ratio, 2.1
// unless set). A JobManager is one process, two with main beside it; a TaskManager container may hold the TaskManager and a worker for each slot, whose
// memory in use together is at most the container's. The check is in force when yarn.nodemanager.vmem-check-enabled is not false
// and yarn.nodemanager.resource.memory.enforced, which makes NodeManagers skip their own checks, is false.
func ContainerSizes(c *config.Config, hadoop *hadoopconf.Conf) (Sizes, error) {
	s := Sizes{
		JobManagerMB: config.Get(c, config.JobManagerMemory).MB(), JobManagerVCores: config.Get(c, config.JobManagerVCores),
		TaskManagerMB: config.Get(c, config.TaskManagerMemory).MB(), TaskManagerVCores: config.Get(c, config.TaskManagerVCores),
		Slots: config.Get(c, config.Slots), Main: config.Get(c, config.Target) == config.TargetApplication,
	}
	masters, least := 1, 64
	if s.Main {
		masters, least = 2, 128
	}
	if cores, ok := config.Lookup(c, config.TaskManagerCPU); ok {
		s.TaskManagerVCores = max(1, int(math.Round(cores)))
	}
	if s.TaskManagerVCores < 1 {
		s.TaskManagerVCores = s.Slots
	}
	for _, p := range []struct {
		what string
		mb   int
		low  int
	}{{config.JobManagerMemory.Key, s.JobManagerMB, least}, {config.TaskManagerMemory.Key, s.TaskManagerMB, 128}} {
		if p.mb < p.low {
			return s, fmt.Errorf("%s is %d MiB (%s), too little for the process; expected %d MiB or more (a bare number is bytes in the configuration, MB after -jm and -tm)",
				p.what, p.mb, c.Source(p.what), p.low)
		}
	}
	if least := taskManagerReserveMB + leastSlotMB*s.Slots; s.TaskManagerMB < least {
		return s, fmt.Errorf("%s is %d MiB (%s), too little for %d slots: expected %d MiB or more (%d for the TaskManager and %d for each slot); take more memory (-tm) or fewer slots (-s)",
			config.TaskManagerMemory.Key, s.TaskManagerMB, c.Source(config.TaskManagerMemory.Key), s.Slots, least, taskManagerReserveMB, leastSlotMB)
	}
	if !vmemChecked(hadoop) {
		return s, nil
	}
	ratio, err := hadoop.GetFloat("yarn.nodemanager.vmem-pmem-ratio", 2.1)
	if err != nil {
		return s, err
	}
	if ratio <= 0 {
		return s, nil
	}
	jm, tm := s.JobManagerMB, s.TaskManagerMB
	s.JobManagerMB = max(jm, forVirtual(jm, masters, ratio))
	s.TaskManagerMB = max(tm, forVirtual(tm, 1+s.Slots, ratio))
	if s.JobManagerMB != jm || s.TaskManagerMB != tm {
		s.Raised = fmt.Sprintf("YARN checks virtual memory (%.1f times the container): asking for a JobManager of %d MB (configured %d) and TaskManagers of %d MB (configured %d)",
			ratio, s.JobManagerMB, jm, s.TaskManagerMB, tm)
	}
	return s, nil
}

// JobManagerLimitMB is what the Go runtime of the JobManager may use. A tenth of the container is left for what Go does not
// count: stacks of C, page tables, mapped files.
func (s Sizes) JobManagerLimitMB() int {
	if s.Main {
		return s.JobManagerMB / 2
	}
	return s.JobManagerMB * 9 / 10
}

// MainLimitMB is what the Go runtime of a main beside the JobManager may use.
func (s Sizes) MainLimitMB() int { return s.JobManagerMB*9/10 - s.JobManagerLimitMB() }

// forVirtual is the container that may map what processes processes with mb MiB in use together map.
func forVirtual(mb, processes int, ratio float64) int {
	need := float64(mb + processes*(processSpaceMB+slackMB))
	return int(need/ratio) + 1
}

// vmemChecked tells whether NodeManagers kill containers for their virtual memory.
func vmemChecked(hadoop *hadoopconf.Conf) bool {
	return hadoop.GetBool("yarn.nodemanager.vmem-check-enabled", true) && !hadoop.GetBool("yarn.nodemanager.resource.memory.enforced", true)
}
