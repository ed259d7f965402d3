package am

import (
	"fmt"
	"time"

	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/yarnrpc"
)

// What becomes of nodes: some fail launch after launch and are left out for a while, some are being decommissioned and get no
// more work.

// preemptionHolds is how long the word holds that the scheduler wants a container back: it repeats it every few seconds.
const preemptionHolds = 30 * time.Second

// exclude has the scheduler give no more containers on a node.
func (d *driver) exclude(name string, node yarnrpc.NodeID) {
	d.log.Warn("node excluded: TaskManagers do not start there", "node", node.String(), "failures in a row", d.failures.nodeMax,
		"for", d.failures.nodeTime.String())
	d.master.Blacklist([]string{name}, nil)
	d.events.Note(fmt.Sprintf("node %s is left out for %s: %d TaskManagers in a row did not start there", node, d.failures.nodeTime, d.failures.nodeMax))
}

// forgive takes nodes that were left out long enough again.
func (d *driver) forgive(now time.Time) {
	d.mu.Lock()
	names := d.failed.forgiven(now)
	d.mu.Unlock()
	if len(names) == 0 {
		return
	}
	d.log.Info("nodes are no longer excluded", "nodes", names)
	d.master.Blacklist(nil, names)
}

// nodesChanged notes what the ResourceManager says about nodes.
func (d *driver) nodesChanged(a *yarnrpc.Allocation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.ClusterNodes > 0 {
		d.nodes = a.ClusterNodes
	}
	for _, n := range a.UpdatedNodes {
		switch n.State {
		case yarnrpc.NodeDecommissioning:
			if !d.retiring[n.ID] {
				d.log.Warn("a node is being decommissioned: its TaskManagers get no more jobs, and no others are started there", "node", n.ID.String())
			}
			d.retiring[n.ID] = true
		default:
			d.log.Info("a node has changed its state", "node", n.ID.String(), "state", string(n.State), "health", n.Health)
			delete(d.retiring, n.ID)
		}
	}
}

// drain tells the JobManager which TaskManagers are to get no more jobs: those on nodes that are being decommissioned, and those
// whose containers the scheduler wants back.
func (d *driver) drain(preempt []yarnrpc.ContainerID, now time.Time) {
	d.mu.Lock()
	for _, id := range preempt {
		if d.fleet.tms[id] == nil {
			continue
		}
		if _, known := d.wanted[id]; !known {
			d.log.Warn("the scheduler wants a container back", "container", id.String())
		}
		d.wanted[id] = now
	}
	for id, said := range d.wanted {
		if now.Sub(said) > preemptionHolds {
			delete(d.wanted, id)
		}
	}
	gone, back := d.fleet.leaving(func(c yarnrpc.Container) bool {
		_, wanted := d.wanted[c.ID]
		return wanted || d.retiring[c.Node]
	})
	why := map[yarnrpc.ContainerID]string{}
	for _, id := range gone {
		why[id] = "the scheduler wants its container back"
		if node := d.fleet.tms[id].container.Node; d.retiring[node] {
			why[id] = fmt.Sprintf("its node %s is being decommissioned", node)
		}
	}
	d.mu.Unlock()
	for _, id := range gone {
		d.events.TaskManagerDraining(id.String(), why[id])
	}
	for _, id := range back {
		d.events.TaskManagerDraining(id.String(), "")
	}
}

// nodeNames says how the scheduler names nodes in lists of nodes to avoid.
func nodeNames(conf *hadoopconf.Conf) func(yarnrpc.NodeID) string {
	withPort := conf.Get("yarn.scheduler.include-port-in-node-name") == "true"
	return func(n yarnrpc.NodeID) string {
		if withPort {
			return n.String()
		}
		return n.Host
	}
}

// logURLs says where a NodeManager shows a container's logs while the application runs.
func logURLs(conf *hadoopconf.Conf, user string) func(yarnrpc.Container) string {
	scheme := "http://"
	if conf.Get("yarn.http.policy") == "HTTPS_ONLY" {
		scheme = "https://"
	}
	return func(c yarnrpc.Container) string {
		if c.HTTPAddress == "" {
			return ""
		}
		return scheme + c.HTTPAddress + "/node/containerlogs/" + c.ID.String() + "/" + user
	}
}
