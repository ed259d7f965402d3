package yarnrpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weft-project/weft/internal/delay"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	yarnpb "github.com/weft-project/weft/internal/hadoop/proto/yarn"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// ClientRM speaks to the ResourceManager as the user. It is safe for use by several goroutines.
type ClientRM struct {
	proxy *rpc.Proxy
	// issuer makes the calls about tokens: a ResourceManager takes none of them from one who came with a token.
	issuer *rpc.Proxy
	conf   *hadoopconf.Conf
	addrs  []string
	close  func()
}

// NewClientRM makes a client for the ResourceManagers of the configuration; nothing is connected yet. Close it.
func NewClientRM(conf *hadoopconf.Conf, o Options) (*ClientRM, error) {
	addrs, err := resourceManagers(conf, func(rm hadoopconf.ResourceManager) string { return rm.Client })
	if err != nil {
		return nil, err
	}
	retry, err := o.retry(conf, rmWaitKey, 15*time.Minute, rmIntervalKey, 30*time.Second)
	if err != nil {
		return nil, err
	}
	var tok *token.Token
	if o.Credentials != nil {
		// With several ResourceManagers the token's service is the list of all of them: the kind is enough.
		if t, ok := o.Credentials.Find(token.KindRMDelegation, ""); ok {
			tok = &t
		}
	}
	sec, err := o.security(conf, tok, "yarn.resourcemanager.principal")
	if err != nil {
		return nil, err
	}
	client, closeClient, err := o.connect(conf)
	if err != nil {
		return nil, err
	}
	target := rpc.Target{Name: resourceManagerName(conf), Addresses: addrs, Protocol: clientProtocol, Security: sec, Retry: retry}
	c := &ClientRM{close: closeClient, proxy: client.Proxy(target), conf: conf, addrs: addrs}
	c.issuer = c.proxy
	if sec.Kerberos != nil {
		// One of its own from the start: the other's calls may come with a token later (SetCredentials). Until then both share a connection.
		if tok != nil {
			own := *sec
			own.Token = nil
			target.Security = &own
		}
		c.issuer = client.Proxy(target)
	}
	return c, nil
}

// Close ends the client's own connections.
func (c *ClientRM) Close() { c.close() }

// NewApplication is an id to submit with.
type NewApplication struct {
	ID ApplicationID
	// Max is the largest container that the scheduler gives.
	Max Resource
}

// NewApplication gets a new id.
func (c *ClientRM) NewApplication(ctx context.Context) (NewApplication, error) {
	var out yarnpb.GetNewApplicationResponse
	if err := c.proxy.Call(ctx, "getNewApplication", &yarnpb.GetNewApplicationRequest{}, &out); err != nil {
		return NewApplication{}, err
	}
	return NewApplication{ID: applicationID(out.GetApplicationId()), Max: resource(out.GetMaximumCapability())}, nil
}

// SubmitError says that the ResourceManager did not take an application.
type SubmitError struct {
	Report ApplicationReport
}

// Error gives the ResourceManager's diagnostics.
func (e *SubmitError) Error() string {
	return fmt.Sprintf("the ResourceManager did not accept %s (%s): %s", e.Report.ID, e.Report.State, e.Report.Diagnostics)
}

// Submit submits an application and returns when the ResourceManager has accepted it, so that it survives a restart of the
// ResourceManager; a ResourceManager that lost it meanwhile gets it again. An application that is refused is a *SubmitError, or
// the exception that the ResourceManager threw.
func (c *ClientRM) Submit(ctx context.Context, s Submission) (ApplicationReport, error) {
	spec, err := s.proto()
	if err != nil {
		return ApplicationReport{}, fmt.Errorf("submit %s: %w", s.ID, err)
	}
	req := &yarnpb.SubmitApplicationRequest{ApplicationSubmissionContext: spec}
	if err := c.proxy.Call(ctx, "submitApplication", req, &yarnpb.SubmitApplicationResponse{}); err != nil {
		return ApplicationReport{}, err
	}
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		r, err := c.Report(ctx, s.ID)
		switch {
		case errors.Is(err, ErrApplicationNotFound):
			if err := c.proxy.Call(ctx, "submitApplication", req, &yarnpb.SubmitApplicationResponse{}); err != nil {
				return ApplicationReport{}, err
			}
		case err != nil:
			return ApplicationReport{}, err
		case r.State == StateFailed || r.State == StateKilled:
			return r, &SubmitError{r}
		case r.State != StateNew && r.State != StateNewSaving && r.State != StateSubmitted:
			return r, nil
		}
		if err := delay.For(ctx, pause); err != nil {
			return r, fmt.Errorf("submit %s: still %s: %w", s.ID, r.State, err)
		}
	}
}

// Report asks about one application.
func (c *ClientRM) Report(ctx context.Context, id ApplicationID) (ApplicationReport, error) {
	var out yarnpb.GetApplicationReportResponse
	if err := c.proxy.Call(ctx, "getApplicationReport", &yarnpb.GetApplicationReportRequest{ApplicationId: id.proto()}, &out); err != nil {
		return ApplicationReport{}, err
	}
	return applicationReport(out.GetApplicationReport()), nil
}

// Filter selects applications; an empty field selects all.
type Filter struct {
	Types, Users, Queues, Tags []string
	States                     []ApplicationState
	Name                       string
	// Limit bounds the number of applications; 0 does not.
	Limit int64
}

// Applications lists applications, in no order.
func (c *ClientRM) Applications(ctx context.Context, f Filter) ([]ApplicationReport, error) {
	req := &yarnpb.GetApplicationsRequest{ApplicationTypes: f.Types, Users: f.Users, Queues: f.Queues}
	for _, t := range f.Tags {
		// The ResourceManager keeps tags in lower case and compares them as they are.
		req.ApplicationTags = append(req.ApplicationTags, strings.ToLower(t))
	}
	for _, s := range f.States {
		v, ok := yarnpb.YarnApplicationState_value[string(s)]
		if !ok {
			return nil, fmt.Errorf("application state %q is none of YARN's", s)
		}
		req.ApplicationStates = append(req.ApplicationStates, yarnpb.YarnApplicationState(v))
	}
	if f.Name != "" {
		req.Name = &f.Name
	}
	if f.Limit > 0 {
		req.Limit = &f.Limit
	}
	var out yarnpb.GetApplicationsResponse
	if err := c.proxy.Call(ctx, "getApplications", req, &out); err != nil {
		return nil, err
	}
	var list []ApplicationReport
	for _, a := range out.GetApplications() {
		list = append(list, applicationReport(a))
	}
	return list, nil
}

// Kill ends an application and returns when the ResourceManager has done so. diagnostics is shown as the reason.
func (c *ClientRM) Kill(ctx context.Context, id ApplicationID, diagnostics string) error {
	req := &yarnpb.KillApplicationRequest{ApplicationId: id.proto()}
	if diagnostics != "" {
		req.Diagnostics = &diagnostics
	}
	for {
		var out yarnpb.KillApplicationResponse
		if err := c.proxy.Call(ctx, "forceKillApplication", req, &out); err != nil {
			return denied(err)
		}
		if out.GetIsKillCompleted() {
			return nil
		}
		if err := delay.For(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("kill %s: not done yet: %w", id, err)
		}
	}
}

// ClusterNodes lists NodeManagers in the given states, without any those that run or are unhealthy.
func (c *ClientRM) ClusterNodes(ctx context.Context, states ...NodeState) ([]NodeReport, error) {
	req := &yarnpb.GetClusterNodesRequest{}
	for _, s := range states {
		v, ok := yarnpb.NodeState_value["NS_"+string(s)]
		if !ok {
			return nil, fmt.Errorf("node state %q is none of YARN's", s)
		}
		req.NodeStates = append(req.NodeStates, yarnpb.NodeState(v))
	}
	var out yarnpb.GetClusterNodesResponse
	if err := c.proxy.Call(ctx, "getClusterNodes", req, &out); err != nil {
		return nil, err
	}
	var list []NodeReport
	for _, n := range out.GetNodeReports() {
		list = append(list, nodeReport(n))
	}
	return list, nil
}

// ClusterMetrics counts the NodeManagers by state.
func (c *ClientRM) ClusterMetrics(ctx context.Context) (ClusterMetrics, error) {
	var out yarnpb.GetClusterMetricsResponse
	if err := c.proxy.Call(ctx, "getClusterMetrics", &yarnpb.GetClusterMetricsRequest{}, &out); err != nil {
		return ClusterMetrics{}, err
	}
	m := out.GetClusterMetrics()
	return ClusterMetrics{
		NodeManagers: int(m.GetNumNodeManagers()), Active: int(m.GetNumActiveNms()), Lost: int(m.GetNumLostNms()), Unhealthy: int(m.GetNumUnhealthyNms()),
		Decommissioned: int(m.GetNumDecommissionedNms()), Decommissioning: int(m.GetNumDecommissioningNms()), Shutdown: int(m.GetNumShutdownNms()),
	}, nil
}

// Queue describes a queue and all below it; "root" is the whole tree. A queue that does not exist is an error of the
// ResourceManager.
func (c *ClientRM) Queue(ctx context.Context, name string) (QueueInfo, error) {
	yes, no := true, false
	req := &yarnpb.GetQueueInfoRequest{QueueName: &name, IncludeApplications: &no, IncludeChildQueues: &yes, Recursive: &yes}
	var out yarnpb.GetQueueInfoResponse
	if err := c.proxy.Call(ctx, "getQueueInfo", req, &out); err != nil {
		return QueueInfo{}, err
	}
	if out.GetQueueInfo() == nil {
		return QueueInfo{}, fmt.Errorf("queue %q: the ResourceManager does not know it", name)
	}
	return queueInfo(out.GetQueueInfo()), nil
}

// Attempts lists the attempts of an application.
func (c *ClientRM) Attempts(ctx context.Context, id ApplicationID) ([]AttemptReport, error) {
	var out yarnpb.GetApplicationAttemptsResponse
	if err := c.proxy.Call(ctx, "getApplicationAttempts", &yarnpb.GetApplicationAttemptsRequest{ApplicationId: id.proto()}, &out); err != nil {
		return nil, err
	}
	var list []AttemptReport
	for _, a := range out.GetApplicationAttempts() {
		list = append(list, AttemptReport{
			ID: attemptID(a.GetApplicationAttemptId()), State: a.GetYarnApplicationAttemptState().String()[len("APP_ATTEMPT_"):],
			AMContainer: containerID(a.GetAmContainerId()), Host: a.GetHost(), TrackingURL: missing(a.GetTrackingUrl()),
			Diagnostics: missing(a.GetDiagnostics()), Started: millis(a.GetStartTime()), Finished: millis(a.GetFinishTime()),
		})
	}
	return list, nil
}

// Containers lists the live containers of an attempt.
func (c *ClientRM) Containers(ctx context.Context, id AttemptID) ([]ContainerReport, error) {
	var out yarnpb.GetContainersResponse
	if err := c.proxy.Call(ctx, "getContainers", &yarnpb.GetContainersRequest{ApplicationAttemptId: id.proto()}, &out); err != nil {
		return nil, err
	}
	var list []ContainerReport
	for _, r := range out.GetContainers() {
		list = append(list, containerReport(r))
	}
	return list, nil
}

// ResourceTypes lists the kinds of resources that the cluster manages.
func (c *ClientRM) ResourceTypes(ctx context.Context) ([]ResourceType, error) {
	var out yarnpb.GetAllResourceTypeInfoResponse
	if err := c.proxy.Call(ctx, "getResourceTypeInfo", &yarnpb.GetAllResourceTypeInfoRequest{}, &out); err != nil {
		return nil, err
	}
	var list []ResourceType
	for _, r := range out.GetResourceTypeInfo() {
		list = append(list, ResourceType{Name: r.GetName(), Units: r.GetUnits()})
	}
	return list, nil
}
