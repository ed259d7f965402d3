package yarnrpc

import (
	"fmt"
	"slices"
	"strings"
	"time"

	yarnpb "github.com/weft-project/weft/internal/hadoop/proto/yarn"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// Resource is a size of container or node.
type Resource struct {
	MemoryMB int64
	VCores   int32
}

// String gives "1024 MB, 1 vcores".
func (r Resource) String() string { return fmt.Sprintf("%d MB, %d vcores", r.MemoryMB, r.VCores) }

// Fits tells whether r is no larger than o in any respect.
func (r Resource) Fits(o Resource) bool { return r.MemoryMB <= o.MemoryMB && r.VCores <= o.VCores }

func (r Resource) proto() *yarnpb.Resource {
	return &yarnpb.Resource{Memory: &r.MemoryMB, VirtualCores: &r.VCores}
}

func resource(p *yarnpb.Resource) Resource {
	return Resource{MemoryMB: p.GetMemory(), VCores: p.GetVirtualCores()}
}

// ApplicationState is where an application stands, in the ResourceManager's words.
type ApplicationState string

// The states of an application.
const (
	StateNew       ApplicationState = "NEW"
	StateNewSaving ApplicationState = "NEW_SAVING"
	StateSubmitted ApplicationState = "SUBMITTED"
	StateAccepted  ApplicationState = "ACCEPTED"
	StateRunning   ApplicationState = "RUNNING"
	StateFinished  ApplicationState = "FINISHED"
	StateFailed    ApplicationState = "FAILED"
	StateKilled    ApplicationState = "KILLED"
)

// Ended tells the states that are final.
func (s ApplicationState) Ended() bool {
	return s == StateFinished || s == StateFailed || s == StateKilled
}

// LiveStates are those of an application that has not ended.
func LiveStates() []ApplicationState {
	return []ApplicationState{StateNew, StateNewSaving, StateSubmitted, StateAccepted, StateRunning}
}

// FinalStatus is what an ApplicationMaster said about its end.
type FinalStatus string

// The final states.
const (
	FinalUndefined FinalStatus = "UNDEFINED"
	FinalSucceeded FinalStatus = "SUCCEEDED"
	FinalFailed    FinalStatus = "FAILED"
	FinalKilled    FinalStatus = "KILLED"
)

func (f FinalStatus) proto() *yarnpb.FinalApplicationStatus {
	v := yarnpb.FinalApplicationStatus_APP_UNDEFINED
	if n, ok := yarnpb.FinalApplicationStatus_value["APP_"+string(f)]; ok {
		v = yarnpb.FinalApplicationStatus(n)
	}
	return v.Enum()
}

// ApplicationReport is what the ResourceManager knows about an application.
type ApplicationReport struct {
	ID      ApplicationID
	Attempt AttemptID
	User    string
	Queue   string
	Name    string
	Type    string
	Tags    []string
	State   ApplicationState
	Final   FinalStatus
	// Host and Port are what the running ApplicationMaster registered with: "" and -1 before, and when it has ended.
	Host string
	Port int
	// TrackingURL goes through the ResourceManager's proxy; OriginalTrackingURL is the ApplicationMaster's own.
	TrackingURL, OriginalTrackingURL string
	// Diagnostics is a text for people: why it waits, or why it failed.
	Diagnostics string
	// Progress is 0 to 1.
	Progress float32
	// Started, Launched and Finished are zero when it has not come to that.
	Started, Launched, Finished time.Time
	// Containers and Used are what runs now; Used is meant without reservations.
	Containers int
	Used       Resource
	// AMRMToken is given to the owner of an unmanaged application only.
	AMRMToken *token.Token
}

func applicationReport(p *yarnpb.ApplicationReport) ApplicationReport {
	r := ApplicationReport{
		ID: applicationID(p.GetApplicationId()), Attempt: attemptID(p.GetCurrentApplicationAttemptId()),
		User: p.GetUser(), Queue: p.GetQueue(), Name: p.GetName(), Type: p.GetApplicationType(), Tags: p.GetApplicationTags(),
		State: ApplicationState(p.GetYarnApplicationState().String()), Final: finalStatus(p.GetFinalApplicationStatus()),
		Host: missing(p.GetHost()), Port: int(p.GetRpcPort()), TrackingURL: missing(p.GetTrackingUrl()), OriginalTrackingURL: missing(p.GetOriginalTrackingUrl()),
		Diagnostics: missing(p.GetDiagnostics()), Progress: p.GetProgress(),
		Started: millis(p.GetStartTime()), Launched: millis(p.GetLaunchTime()), Finished: millis(p.GetFinishTime()),
		Containers: max(0, int(p.GetAppResourceUsage().GetNumUsedContainers())), Used: resource(p.GetAppResourceUsage().GetUsedResources()),
	}
	if t := p.GetAmRmToken(); t != nil {
		tok := token.FromProto(t)
		r.AMRMToken = &tok
	}
	return r
}

// missing turns YARN's "N/A" into nothing.
func missing(s string) string {
	if s == "N/A" {
		return ""
	}
	return s
}

func finalStatus(p yarnpb.FinalApplicationStatus) FinalStatus {
	return FinalStatus(p.String()[len("APP_"):])
}

// millis turns milliseconds since 1970 into a time, 0 into the zero time.
func millis(ms int64) time.Time {
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// AttemptReport is what the ResourceManager knows about one attempt.
type AttemptReport struct {
	ID          AttemptID
	State       string
	AMContainer ContainerID
	Host        string
	TrackingURL string
	Diagnostics string
	Started     time.Time
	Finished    time.Time
}

// NodeState is a NodeManager's state, in the ResourceManager's words: RUNNING, UNHEALTHY, LOST, …
type NodeState string

// The states that matter when work is placed.
const (
	NodeRunning         NodeState = "RUNNING"
	NodeUnhealthy       NodeState = "UNHEALTHY"
	NodeDecommissioning NodeState = "DECOMMISSIONING"
	NodeDecommissioned  NodeState = "DECOMMISSIONED"
	NodeLost            NodeState = "LOST"
	NodeShutdown        NodeState = "SHUTDOWN"
)

func nodeState(p yarnpb.NodeState) NodeState { return NodeState(p.String()[len("NS_"):]) }

// NodeReport is what the ResourceManager knows about a NodeManager.
type NodeReport struct {
	ID          NodeID
	HTTPAddress string
	Rack        string
	State       NodeState
	// Health is the NodeManager's own account, empty when all is well.
	Health     string
	Capacity   Resource
	Used       Resource
	Containers int
	Labels     []string
}

func nodeReport(p *yarnpb.NodeReport) NodeReport {
	return NodeReport{
		ID: nodeID(p.GetNodeId()), HTTPAddress: p.GetHttpAddress(), Rack: p.GetRackName(), State: nodeState(p.GetNodeState()),
		Health: p.GetHealthReport(), Capacity: resource(p.GetCapability()), Used: resource(p.GetUsed()), Containers: int(p.GetNumContainers()),
		Labels: p.GetNodeLabels(),
	}
}

// Container is one that the ResourceManager has allocated.
type Container struct {
	ID          ContainerID
	Node        NodeID
	HTTPAddress string
	Resource    Resource
	Priority    int32
	// Request is the RequestID of the ask that it answers, -1 when the scheduler does not say.
	Request RequestID
	// Token proves the allocation to the NodeManager. It expires (10 minutes by default).
	Token token.Token
}

func container(p *yarnpb.Container) Container {
	return Container{
		ID: containerID(p.GetId()), Node: nodeID(p.GetNodeId()), HTTPAddress: p.GetNodeHttpAddress(), Resource: resource(p.GetResource()),
		Priority: p.GetPriority().GetPriority(), Request: RequestID(p.GetAllocationRequestId()), Token: token.FromProto(p.GetContainerToken()),
	}
}

// ContainerState is NEW, RUNNING or COMPLETE.
type ContainerState string

// The states of a container.
const (
	ContainerNew      ContainerState = "NEW"
	ContainerRunning  ContainerState = "RUNNING"
	ContainerComplete ContainerState = "COMPLETE"
)

func containerState(p yarnpb.ContainerState) ContainerState {
	return ContainerState(p.String()[len("C_"):])
}

// ContainerStatus is a container's state and, when complete, its end. ContainerExit explains the exit status.
type ContainerStatus struct {
	ID          ContainerID
	State       ContainerState
	ExitStatus  int
	Diagnostics string
}

func containerStatus(p *yarnpb.ContainerStatus) ContainerStatus {
	return ContainerStatus{ID: containerID(p.GetContainerId()), State: containerState(p.GetState()), ExitStatus: int(p.GetExitStatus()), Diagnostics: missing(p.GetDiagnostics())}
}

// maxDiagnostics bounds what Explain quotes, in bytes.
const maxDiagnostics = 1000

// Explain is the end in a sentence: ContainerExit with the diagnostics, of which empty and repeated lines and the times in
// front of them are left out.
func (s ContainerStatus) Explain() string {
	text := fmt.Sprintf("container %s %s", s.ID, ContainerExit(s.ExitStatus))
	var lines []string
	for _, line := range strings.Split(s.Diagnostics, "\n") {
		if t, rest, ok := strings.Cut(line, "]"); ok && strings.HasPrefix(t, "[20") {
			line = rest
		}
		line = strings.TrimSpace(line)
		if line == "" || slices.Contains(lines, line) || strings.HasPrefix(line, "Container id:") || strings.HasPrefix(line, "Exit code:") {
			continue
		}
		lines = append(lines, line)
	}
	if quoted := strings.Join(lines, "; "); quoted != "" {
		if len(quoted) > maxDiagnostics {
			quoted = strings.ToValidUTF8(quoted[:maxDiagnostics], "") + "…"
		}
		text += ": " + quoted
	}
	return text
}

// ContainerReport is what the ResourceManager knows about a container of a running application.
type ContainerReport struct {
	ID          ContainerID
	Node        NodeID
	HTTPAddress string
	Resource    Resource
	State       ContainerState
	ExitStatus  int
	Diagnostics string
	LogURL      string
	Started     time.Time
	Finished    time.Time
}

func containerReport(p *yarnpb.ContainerReport) ContainerReport {
	return ContainerReport{
		ID: containerID(p.GetContainerId()), Node: nodeID(p.GetNodeId()), HTTPAddress: p.GetNodeHttpAddress(), Resource: resource(p.GetResource()),
		State: containerState(p.GetContainerState()), ExitStatus: int(p.GetContainerExitStatus()), Diagnostics: missing(p.GetDiagnosticsInfo()),
		LogURL: p.GetLogUrl(), Started: millis(p.GetCreationTime()), Finished: millis(p.GetFinishTime()),
	}
}

// QueueInfo describes a scheduler queue.
type QueueInfo struct {
	Name string
	// Path is the full name ("root.a.b"), empty from a ResourceManager that does not say.
	Path string
	// State is RUNNING, STOPPED or DRAINING.
	State string
	// Capacity and MaximumCapacity are shares of the parent, 0 to 1; CurrentCapacity is the used share of Capacity, 1 being all.
	Capacity, MaximumCapacity, CurrentCapacity float32
	// Running and Pending count applications.
	Running, Pending int64
	// Available, Allocated and Asked are resources left, in use and waited for; zero when the scheduler does not say.
	Available, Allocated, Asked Resource
	Labels                      []string
	Children                    []QueueInfo
}

func queueInfo(p *yarnpb.QueueInfo) QueueInfo {
	s := p.GetQueueStatistics()
	q := QueueInfo{
		Name: p.GetQueueName(), Path: p.GetQueuePath(), State: p.GetState().String()[len("Q_"):],
		Capacity: p.GetCapacity(), MaximumCapacity: p.GetMaximumCapacity(), CurrentCapacity: p.GetCurrentCapacity(),
		Running: s.GetNumAppsRunning(), Pending: s.GetNumAppsPending(),
		Available: Resource{s.GetAvailableMemoryMb(), int32(s.GetAvailableVcores())},
		Allocated: Resource{s.GetAllocatedMemoryMb(), int32(s.GetAllocatedVcores())},
		Asked:     Resource{s.GetPendingMemoryMb(), int32(s.GetPendingVcores())},
		Labels:    p.GetAccessibleNodeLabels(),
	}
	for _, c := range p.GetChildQueues() {
		q.Children = append(q.Children, queueInfo(c))
	}
	return q
}

// Walk visits q and all queues below it, parents first.
func (q QueueInfo) Walk(visit func(QueueInfo)) {
	visit(q)
	for _, c := range q.Children {
		c.Walk(visit)
	}
}

// ClusterMetrics counts NodeManagers.
type ClusterMetrics struct {
	NodeManagers, Active, Lost, Unhealthy, Decommissioned, Decommissioning, Shutdown int
}

// ResourceType is a kind of resource that the cluster manages: "memory-mb", "vcores", "yarn.io/gpu", …
type ResourceType struct {
	Name, Units string
}
