package yarnrpc

import (
	"fmt"
	"syscall"
)

// Exit statuses that YARN itself gives to containers (ContainerExitStatus).
const (
	ExitSuccess               = 0
	ExitAborted               = -100
	ExitDisksFailed           = -101
	ExitPreempted             = -102
	ExitVirtualMemory         = -103
	ExitPhysicalMemory        = -104
	ExitKilledByAM            = -105
	ExitKilledByRM            = -106
	ExitAfterCompletion       = -107
	ExitKilledByNodeScheduler = -108
	ExitExcessLogs            = -109
	ExitUnknown               = -1000
	exitLost                  = 154
	exitCommandNotExecutable  = 126
	exitCommandNotFound       = 127
	exitSignalBase            = 128
	exitLaunchFailure         = -1
)

// exitText says what became of a container, to be read after "container X".
var exitText = map[int]string{
	ExitSuccess: "ended normally (exit code 0)",
	ExitAborted: "was released or its node was lost before it ended (exit status -100, ABORTED)",
	ExitDisksFailed: "was ended because too many disks of its node have failed or are full (exit status -101, DISKS_FAILED; see " +
		"yarn.nodemanager.disk-health-checker on that node)",
	ExitPreempted: "was preempted: the scheduler gave its resources to another queue or application (exit status -102, PREEMPTED)",
	ExitVirtualMemory: "used more virtual memory than its size times yarn.nodemanager.vmem-pmem-ratio and was killed by the NodeManager " +
		"(exit status -103); ask for a larger container or have the check turned off (yarn.nodemanager.vmem-check-enabled)",
	ExitPhysicalMemory: "used more memory than it was allocated and was killed by the NodeManager (exit status -104); ask for a larger " +
		"container (jobmanager.memory.process.size, taskmanager.memory.process.size)",
	ExitKilledByAM:            "was stopped by its ApplicationMaster (exit status -105)",
	ExitKilledByRM:            "was killed by the ResourceManager (exit status -106); its node was probably restarted or removed",
	ExitAfterCompletion:       "was killed because its application had ended (exit status -107)",
	ExitKilledByNodeScheduler: "was killed by the NodeManager's own scheduler to make room for a guaranteed container (exit status -108)",
	ExitExcessLogs:            "wrote more logs than its node allows and was killed (exit status -109; see yarn.nodemanager.container-log-monitor)",
	ExitUnknown:               "has not ended yet, or its exit status was lost (exit status -1000)",
	exitLaunchFailure:         "could not be launched by the NodeManager (exit status -1); its diagnostics or the NodeManager's log say why",
	1:                         "ended with exit code 1: the process failed by itself; its log says why",
	exitCommandNotExecutable:  "ended with exit code 126: its command could not be executed (wrong platform, or no execute permission)",
	exitCommandNotFound:       "ended with exit code 127: its command was not found",
	exitSignalBase + int(syscall.SIGKILL): "was killed with SIGKILL (exit code 137): by the NodeManager after a stop that took too long, by the " +
		"kernel for want of memory on the node, or by an administrator",
	exitSignalBase + int(syscall.SIGTERM): "was stopped with SIGTERM (exit code 143), usually by the NodeManager on behalf of ResourceManager or ApplicationMaster",
	exitLost:                              "was lost: its node restarted and did not find the process any more (exit code 154)",
}

// ContainerExit says in words what an exit status means, as the end of a sentence that starts with "container X".
func ContainerExit(status int) string {
	if text, ok := exitText[status]; ok {
		return text
	}
	if status > exitSignalBase && status <= exitSignalBase+64 {
		sig := syscall.Signal(status - exitSignalBase)
		return fmt.Sprintf("was ended by signal %d, %s (exit code %d)", int(sig), sig, status)
	}
	if status < 0 {
		return fmt.Sprintf("was ended by YARN with exit status %d, which this version does not know", status)
	}
	return fmt.Sprintf("ended with exit code %d", status)
}
