package client

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/yarnrpc"
)

// checkSizes refuses containers that no node can hold. nodes may be empty when they are not known.
func checkSizes(s spec.Sizes, most yarnrpc.Resource, nodes []yarnrpc.NodeReport) error {
	for _, p := range []struct {
		what, option string
		want         yarnrpc.Resource
	}{
		{"the JobManager", "-jm (weft run: -yjm)", yarnrpc.Resource{MemoryMB: int64(s.JobManagerMB), VCores: int32(s.JobManagerVCores)}},
		{"a TaskManager", "-tm (weft run: -ytm)", yarnrpc.Resource{MemoryMB: int64(s.TaskManagerMB), VCores: int32(s.TaskManagerVCores)}},
	} {
		switch {
		case p.want.MemoryMB > most.MemoryMB:
			return usage("%s needs %d MB, but the largest container of this cluster has %d MB (its largest node, or yarn.scheduler.maximum-allocation-mb); ask for less with %s", p.what, p.want.MemoryMB, most.MemoryMB, p.option)
		case p.want.VCores > most.VCores:
			return usage("%s needs %d vcores, but the largest container of this cluster has %d (its largest node, or yarn.scheduler.maximum-allocation-vcores); set yarn.containers.vcores or take fewer slots", p.what, p.want.VCores, most.VCores)
		}
		if len(nodes) == 0 {
			continue
		}
		if largest, fits := largestNode(p.want, nodes); !fits {
			return usage("no node is large enough for %s, which needs %s; the largest of the %d running nodes has %s in all; ask for less with %s", p.what, p.want, len(nodes), largest, p.option)
		}
	}
	return nil
}

// largestNode tells whether any node could hold want when it is empty, and the largest by memory.
func largestNode(want yarnrpc.Resource, nodes []yarnrpc.NodeReport) (largest yarnrpc.Resource, fits bool) {
	for _, n := range nodes {
		if n.Capacity.MemoryMB > largest.MemoryMB {
			largest = n.Capacity
		}
		// On clusters that count memory alone, vcores of nodes mean nothing.
		fits = fits || want.MemoryMB <= n.Capacity.MemoryMB
	}
	return largest, fits
}

var (
	diagnosticsTime = regexp.MustCompile(`^\[[^\]]*\]\s*`)
	detailsStart    = regexp.MustCompile(`\s*Details\s*:\s*`)
)

// explainAccepted says why an application stays ACCEPTED: the ResourceManager's own words, and what the nodes and the queue
// look like.
func explainAccepted(r yarnrpc.ApplicationReport, want yarnrpc.Resource, nodes []yarnrpc.NodeReport, queue *yarnrpc.QueueInfo) string {
	if strings.Contains(r.Diagnostics, "AM container is launched") {
		return fmt.Sprintf("%s has its JobManager's container (%s); the JobManager is starting there.", r.ID, want)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s waits in queue %s for its JobManager's container (%s).", r.ID, r.Queue, want)
	said := diagnosticsTime.ReplaceAllString(oneLine(r.Diagnostics), "")
	switch {
	case strings.Contains(said, "AM resource limit"):
		b.WriteString(" The queue's share for ApplicationMasters is in use (yarn.scheduler.capacity.maximum-am-resource-percent).")
	case len(nodes) == 0:
		b.WriteString(" No NodeManager is running.")
	default:
		free, roomy := int64(0), 0
		for _, n := range nodes {
			left := n.Capacity.MemoryMB - n.Used.MemoryMB
			free = max(free, left)
			if left >= want.MemoryMB {
				roomy++
			}
		}
		if roomy == 0 {
			fmt.Fprintf(&b, " None of the %d running nodes has that much free; the most is %d MB.", len(nodes), free)
		} else if most := queueMost(queue, nodes); most > 0 && most < want.MemoryMB {
			fmt.Fprintf(&b, " The queue may grow to %.0f %% of the cluster, %d MB, which is too little: take another queue or less memory.", 100*queue.MaximumCapacity, most)
		} else {
			fmt.Fprintf(&b, " %d of %d running nodes have room: the queue's share may be in use.", roomy, len(nodes))
		}
	}
	if queue != nil && (queue.Running > 0 || queue.Pending > 0 || queue.CurrentCapacity > 0) {
		fmt.Fprintf(&b, " Queue %s: %.0f %% of its capacity used, %d applications running, %d waiting.", queue.Name, 100*queue.CurrentCapacity, queue.Running, queue.Pending)
	}
	if queue != nil && queue.State != "RUNNING" {
		fmt.Fprintf(&b, " The queue is %s.", queue.State)
	}
	if said != "" {
		// What follows "Details" is a dump of resources that repeats the above.
		b.WriteString(" YARN says: " + detailsStart.Split(said, 2)[0])
	}
	return b.String()
}

// queueMost is the memory a queue directly below root may grow to, in MB; 0 when that is not known.
func queueMost(q *yarnrpc.QueueInfo, nodes []yarnrpc.NodeReport) int64 {
	if q == nil || q.MaximumCapacity <= 0 || strings.Count(q.Path, ".") > 1 {
		return 0
	}
	var all int64
	for _, n := range nodes {
		all += n.Capacity.MemoryMB
	}
	return int64(float64(q.MaximumCapacity) * float64(all))
}

// explainEnded says how an application ended.
func explainEnded(r yarnrpc.ApplicationReport) string {
	text := fmt.Sprintf("%s has ended: %s", r.ID, r.State)
	if r.State == yarnrpc.StateFinished {
		text += fmt.Sprintf(", final status %s", r.Final)
	}
	if d := oneLine(yarnsOwnWords.ReplaceAllString(r.Diagnostics, " ")); d != "" {
		text += ": " + d
	}
	return text
}

// yarnsOwnWords are what YARN's diagnostics of a lost ApplicationMaster have between the facts: what follows from them, times,
// and where a browser would be led.
var yarnsOwnWords = regexp.MustCompile(`For more detailed output, check the application tracking page: \S+\s+` +
	`Then click on links to logs of each attempt\.[ \n]*\.?|Failing (this attempt|the application)\.|\[\d{4}-\d\d-\d\d [\d:.]+\]`)
