package am

import (
	"fmt"
	"time"

	"github.com/weft-project/weft/yarnrpc"
)

// shortageAfter is how long a request is normally answered within; after that it is said what is in its way.
const shortageAfter = 3 * time.Second

// shortage knows why containers do not come. It is pure: no I/O, no clock, no locks.
type shortage struct {
	// since is when containers were outstanding and none had come for the first time; zero when none are.
	since    time.Time
	headroom yarnrpc.Resource
	nodes    int
	excluded int
}

// heartbeat notes an answer of the ResourceManager; outstanding counts the containers that were asked for before it.
func (s *shortage) heartbeat(a *yarnrpc.Allocation, outstanding int, now time.Time) {
	s.headroom, s.nodes = a.Headroom, a.ClusterNodes
	left := outstanding - len(a.Allocated)
	switch {
	case left <= 0:
		s.since = time.Time{}
	case s.since.IsZero() || len(a.Allocated) > 0:
		s.since = now
	}
}

// explain says in a sentence why containers of this size do not come; empty as long as it is too early to say.
func (s *shortage) explain(want yarnrpc.Resource, queue string, now time.Time) string {
	if s.since.IsZero() || now.Sub(s.since) < shortageAfter {
		return ""
	}
	in := "its queue"
	if queue != "" {
		in = "queue " + queue
	}
	switch {
	case s.nodes == 0:
		return "YARN has no running node"
	case !want.Fits(s.headroom):
		return fmt.Sprintf("a TaskManager needs %s, and the limits of %s and of its user leave this application %s", want, in, floor(s.headroom))
	case s.excluded > 0:
		return fmt.Sprintf("a TaskManager needs %s, and none of the %d nodes that are not left out has that much free", want, max(0, s.nodes-s.excluded))
	}
	return fmt.Sprintf("a TaskManager needs %s, and none of the %d nodes has that much free, although %s would still give %s",
		want, s.nodes, in, floor(s.headroom))
}

// floor leaves out what a queue that is over its limit owes.
func floor(r yarnrpc.Resource) yarnrpc.Resource {
	return yarnrpc.Resource{MemoryMB: max(0, r.MemoryMB), VCores: max(0, r.VCores)}
}
