package am

import (
	"log/slog"
	"slices"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/yarnrpc"
)

// failureLimits bound what the driver puts up with; they follow from the configuration.
type failureLimits struct {
	// max ends the application after so many failed containers within window; negative for no bound, window 0 for all time.
	max    int
	window time.Duration
	// rate is how many may fail within a minute before pause lies between two requests.
	rate  float64
	pause time.Duration
	// nodeMax launches in a row that fail exclude a node for nodeTime; 0 excludes none.
	nodeMax  int
	nodeTime time.Duration
}

// limits reads the configuration.
func limits(c *config.Config, log *slog.Logger) failureLimits {
	if !config.Get(c, config.ReallocateFailed) {
		log.Warn("containers that are lost are replaced all the same", "yarn.reallocate-failed", false)
	}
	return failureLimits{
		max: config.Get(c, config.MaximumFailedContainers), window: max(0, config.Get(c, config.FailedContainersValidity)),
		rate: config.Get(c, config.MaxStartFailureRate), pause: config.Get(c, config.StartRetryInterval),
		nodeMax: config.Get(c, config.NodeExclusionFailures), nodeTime: config.Get(c, config.NodeExclusionInterval),
	}
}

// failures is what the driver has learned from containers that failed. It is pure: no I/O, no clock, no locks.
//
// Invariants: an end that says nothing about the application or the node counts for neither; at most half of the cluster's
// nodes are excluded at any time, so that an error of the application itself does not take all of them away.
type failures struct {
	limits failureLimits
	// recent are the times of failures within the window or the last minute, the oldest first.
	recent []time.Time
	// inRow counts failed launches by node since the last one that went well; excluded are nodes and until when.
	inRow    map[string]int
	excluded map[string]time.Time
}

func newFailures(l failureLimits) *failures {
	return &failures{limits: l, inRow: map[string]int{}, excluded: map[string]time.Time{}}
}

// blameless tells the ends that YARN decided on for reasons of its own.
func blameless(exit int) bool {
	switch exit {
	case yarnrpc.ExitAborted, yarnrpc.ExitDisksFailed, yarnrpc.ExitPreempted, yarnrpc.ExitKilledByAM, yarnrpc.ExitKilledByRM,
		yarnrpc.ExitAfterCompletion, yarnrpc.ExitKilledByNodeScheduler:
		return true
	}
	return false
}

// failed notes a failed container and tells how many there were within the window, and whether that is too many.
func (f *failures) failed(now time.Time) (n int, over bool) {
	f.recent = append(f.recent, now)
	if f.limits.window > 0 {
		keep := now.Add(-max(f.limits.window, time.Minute))
		f.recent = slices.DeleteFunc(f.recent, func(t time.Time) bool { return t.Before(keep) })
	}
	n = len(f.recent)
	if f.limits.window > 0 {
		n = f.since(now.Add(-f.limits.window))
	}
	return n, f.limits.max >= 0 && n > f.limits.max
}

// since counts failures that are not older than t.
func (f *failures) since(t time.Time) int {
	n := 0
	for i := len(f.recent) - 1; i >= 0 && !f.recent[i].Before(t); i-- {
		n++
	}
	return n
}

// tooFast tells whether more failed within the last minute than resourcemanager.start-worker.max-failure-rate allows.
func (f *failures) tooFast(now time.Time) bool {
	return f.limits.rate > 0 && float64(f.since(now.Add(-time.Minute))) > f.limits.rate
}

// launchFailed notes that a container failed soon after its start, or did not start at all, on a node of a cluster of so many
// nodes. It tells whether the node is to be excluded now.
func (f *failures) launchFailed(node string, nodes int, now time.Time) bool {
	f.inRow[node]++
	if _, is := f.excluded[node]; is || f.limits.nodeMax <= 0 || f.inRow[node] < f.limits.nodeMax || 2*len(f.excluded)+1 >= max(nodes, 1) {
		return false
	}
	f.excluded[node] = now.Add(f.limits.nodeTime)
	return true
}

// launched notes that a node is well.
func (f *failures) launched(node string) { delete(f.inRow, node) }

// forgiven gives the nodes that are no longer to be excluded. One more failure excludes them again.
func (f *failures) forgiven(now time.Time) []string {
	var out []string
	for node, until := range f.excluded {
		if !now.Before(until) {
			delete(f.excluded, node)
			f.inRow[node] = f.limits.nodeMax - 1
			out = append(out, node)
		}
	}
	slices.Sort(out)
	return out
}
