package doctor

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/plural"
	"github.com/weft-project/weft/yarnrpc"
)

// mostNodes is how many NodeManagers are spoken to: they are configured alike, and there may be thousands.
const mostNodes = 3

// yarn asks the ResourceManager what it has, and whether what a session would ask for fits.
func (e *examination) yarn(ctx context.Context) bool {
	if !e.spoken["ResourceManager"] {
		e.warn("nodes", "", "not looked at, nor virtual memory and queue: there is no ResourceManager to ask")
		return true
	}
	rm, err := yarnrpc.NewClientRM(e.hadoop, yarnrpc.Options{User: e.who.User, ProxyUser: e.who.ProxyUser, Kerberos: e.who.Login,
		Credentials: e.who.Credentials(), Retry: &rpc.Retry{}, Log: e.Log})
	if err != nil {
		e.wrong(CauseSettings, "ResourceManager", "", "%v", err)
		return true
	}
	asking, cancel := e.asking(ctx)
	defer cancel()
	app, err := rm.NewApplication(asking)
	if err != nil {
		rm.Close()
		e.unasked("ResourceManager", err)
		return true
	}
	e.rm = rm
	nodes, err := rm.ClusterNodes(asking)
	if err != nil {
		e.unasked("nodes", err)
		return true
	}
	e.checkNodes(app.Max, nodes)
	for _, n := range e.nodes[:min(len(e.nodes), mostNodes)] {
		e.shake(ctx, server{name: "NodeManager", address: n.ID.String(), protocol: nodeManagerProtocol, setting: "the list of nodes"})
	}
	e.virtualMemory(ctx)
	e.queue(ctx)
	return true
}

// unasked tells why the ResourceManager did not do what it was asked.
func (e *examination) unasked(check string, err error) {
	switch {
	case errors.Is(err, rpc.ErrAccessControl):
		e.wrong(CauseCluster, check, "ask an administrator to let the user in (security.applicationclient.protocol.acl)", "%v", err)
	default:
		e.wrong(CauseUnreachable, check, "", "%v", err)
	}
}

// checkNodes looks whether the containers fit.
func (e *examination) checkNodes(most yarnrpc.Resource, all []yarnrpc.NodeReport) {
	const check = "nodes"
	var ill []string
	var total yarnrpc.Resource
	for _, n := range all {
		if n.State == yarnrpc.NodeRunning {
			e.nodes = append(e.nodes, n)
			total.MemoryMB += n.Capacity.MemoryMB
			total.VCores += n.Capacity.VCores
			continue
		}
		ill = append(ill, strings.TrimSpace(n.ID.String()+" "+strings.ToLower(string(n.State))+" "+n.Health))
	}
	if len(ill) > 0 {
		e.warn(check, "see their NodeManagers' logs", "%s: %s", plural.Words(len(ill), "node does not work", "nodes do not work"), strings.Join(ill[:min(len(ill), 5)], "; "))
	}
	if len(e.nodes) == 0 {
		e.wrong(CauseCluster, check, "start NodeManagers", "no NodeManager is running")
		return
	}
	if e.sizes == (spec.Sizes{}) {
		return
	}
	if err := e.CheckSizes(e.sizes, most, e.nodes); err != nil {
		e.wrong(CauseSettings, check, "", "%v", err)
		return
	}
	hold := func(mb int) int {
		n := 0
		for _, node := range e.nodes {
			if node.Capacity.MemoryMB >= int64(mb) {
				n++
			}
		}
		return n
	}
	e.ok(check, "%s with %s; a JobManager of %d MB fits on %d of them, a TaskManager of %d MB with %s on %d; the largest container is %s",
		plural.Words(len(e.nodes), "running node", "running nodes"), total, e.sizes.JobManagerMB, hold(e.sizes.JobManagerMB),
		e.sizes.TaskManagerMB, plural.Words(e.sizes.Slots, "slot", "slots"), hold(e.sizes.TaskManagerMB), most)
}

// virtualMemory compares what this configuration says about the check of virtual memory with what a node does: containers that
// are too small for it are killed, most of the time only after a while.
func (e *examination) virtualMemory(ctx context.Context) {
	const check = "virtual memory"
	if e.sizes == (spec.Sizes{}) || len(e.nodes) == 0 {
		return
	}
	node := e.nodes[0]
	theirs, ok := e.configurationOf(ctx, node.HTTPAddress)
	if !ok {
		e.ok(check, "%s; node %s does not show its own configuration", e.sized(e.sizes), node.ID)
		return
	}
	needed, err := spec.ContainerSizes(e.Config, theirs)
	switch {
	case err != nil:
		e.warn(check, "", "by the configuration of node %s: %v", node.ID, err)
	case needed.JobManagerMB > e.sizes.JobManagerMB || needed.TaskManagerMB > e.sizes.TaskManagerMB:
		e.wrong(CauseSettings, check, "take the nodes' yarn-site.xml (yarn.nodemanager.vmem-check-enabled, .vmem-pmem-ratio, .resource.memory.enforced), or ask for that much with -jm and -tm",
			"node %s checks virtual memory, which this configuration does not say: it needs a JobManager of %d MB and TaskManagers of %d MB, but %d and %d are asked for",
			node.ID, needed.JobManagerMB, needed.TaskManagerMB, e.sizes.JobManagerMB, e.sizes.TaskManagerMB)
	default:
		e.ok(check, "%s; node %s is configured so too", e.sized(e.sizes), node.ID)
	}
}

func (e *examination) sized(s spec.Sizes) string {
	if s.Raised != "" {
		return s.Raised
	}
	return "containers are as large as configured"
}

// queue looks whether the user may submit to the queue, and whether it takes applications.
func (e *examination) queue(ctx context.Context) {
	const check = "queue"
	name := cmp.Or(config.Get(e.Config, config.ApplicationQueue), "default")
	asking, cancel := e.asking(ctx)
	defer cancel()
	q, err := e.rm.Queue(asking, name)
	if err != nil && !e.Config.IsSet(config.ApplicationQueue.Key) {
		e.warn(check, "name one with -qu or yarn.application.queue, unless the cluster places applications by rules of its own", "no queue is named, and there is none called default: %v", rootCause(err))
		return
	}
	if err != nil {
		e.wrong(CauseSettings, check, "name one with -qu or yarn.application.queue; weft yarn-session -q lists them", "queue %q: %v", name, rootCause(err))
		return
	}
	rights, err := e.rm.QueueRights(asking)
	if err != nil {
		e.warn(check, "", "queue %s: the rights of user %s are not known: %v", name, e.user, rootCause(err))
	}
	var mine yarnrpc.QueueRight
	for _, r := range rights {
		if r.Is(name) || q.Path != "" && r.Is(q.Path) {
			mine = r
		}
	}
	switch {
	case len(q.Children) > 0:
		e.wrong(CauseSettings, check, "name one of its leaves with -qu or yarn.application.queue", "queue %s has queues below it and takes no applications itself", name)
	case q.State != "RUNNING":
		e.wrong(CauseCluster, check, "take another queue, or ask an administrator", "queue %s is %s and takes no applications", name, strings.ToLower(q.State))
	case err == nil && !mine.Submit:
		e.wrong(CauseCluster, check, "take another queue, or ask an administrator for the right (acl_submit_applications)", "user %s may not submit to queue %s", e.user, name)
	default:
		e.ok(check, "user %s may submit to %s, which may grow to %.0f %% of its parent; %.0f %% of its capacity is used, %s, %d waiting",
			e.user, name, 100*q.MaximumCapacity, 100*q.CurrentCapacity, plural.Words(int(q.Running), "application runs", "applications run"), q.Pending)
	}
}

// rootCause is what a server said, without the address, which the finding need not repeat.
func rootCause(err error) error {
	var call *rpc.CallError
	if errors.As(err, &call) {
		return call.Err
	}
	return err
}
