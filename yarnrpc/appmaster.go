package yarnrpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/weft-project/weft/internal/delay"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
	yarnpb "github.com/weft-project/weft/internal/hadoop/proto/yarn"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/token"
	"google.golang.org/protobuf/proto"
)

// maxResyncs bounds how often one Allocate or Finish registers again.
const maxResyncs = 3

// RegisterRequest is what an ApplicationMaster tells of itself.
type RegisterRequest struct {
	// Host is where clients find it; Port may be -1 for none.
	Host string
	Port int
	// TrackingURL is the address of its web page, to which the ResourceManager's proxy leads.
	TrackingURL string
}

// Registration is what it gets to know.
type Registration struct {
	// Max is the largest container that the scheduler gives; zero when the ResourceManager's answer was lost on the way.
	Max   Resource
	Queue string
	// Previous are the live containers of earlier attempts, with KeepContainers.
	Previous []Container
	// ViewACL and ModifyACL are those of the submission.
	ViewACL, ModifyACL string
}

// Allocation is the answer to one heartbeat.
type Allocation struct {
	// Allocated are containers that answer requests. Their tokens expire: start them soon.
	Allocated []Container
	// Excess are containers that nobody asked for; they have been released already.
	Excess []Container
	// Completed have ended, by whatever reason; released ones appear here as well.
	Completed []ContainerStatus
	// UpdatedNodes have changed their state.
	UpdatedNodes []NodeReport
	// Headroom is what the application could still get; ClusterNodes counts the cluster's NodeManagers.
	Headroom     Resource
	ClusterNodes int
	// Previous are containers of earlier attempts that a restarted NodeManager or ResourceManager reports late.
	Previous []Container
	// ToPreempt are containers that the scheduler wants back soon.
	ToPreempt []ContainerID
	// Resynced tells that the ResourceManager had restarted and was told everything again.
	Resynced bool
}

// ApplicationMaster speaks to the ResourceManager as an application attempt. All methods may be called by several
// goroutines; heartbeats are made one at a time.
type ApplicationMaster struct {
	proxy   *rpc.Proxy
	close   func()
	log     *slog.Logger
	attempt AttemptID
	nodes   *NodeManagers
	// newSecurity builds the identity for a token.
	newSecurity func(token.Token) (*rpc.Security, error)

	// beat has room for one: it is held during calls, so that there is one at a time.
	beat chan struct{}

	mu         sync.Mutex
	asks       *Asks
	responseID int32
	register   RegisterRequest
	// previous is the identity before the last roll-over, until the new one has been used.
	previous *rpc.Security
	current  token.Token
	answered time.Time
}

// NewApplicationMaster makes one from the credentials that YARN gave the container; they must hold an AMRM token. Nothing is
// connected yet. Close it.
func NewApplicationMaster(conf *hadoopconf.Conf, o Options) (*ApplicationMaster, error) {
	if o.Credentials == nil {
		o.Credentials = &token.Credentials{}
	}
	// Its service is empty in the file: only the kind says what it is.
	tok, ok := o.Credentials.Find(token.KindAMRM, "")
	if !ok {
		return nil, fmt.Errorf("no token of kind %s among the credentials (%s): an ApplicationMaster runs in a container that YARN started", token.KindAMRM, o.Credentials)
	}
	var id yarnpb.AMRMTokenIdentifier
	if err := proto.Unmarshal(tok.Identifier, &id); err != nil {
		return nil, fmt.Errorf("identifier of the %s: %w", token.KindAMRM, err)
	}
	addrs, err := resourceManagers(conf, func(rm hadoopconf.ResourceManager) string { return rm.Scheduler })
	if err != nil {
		return nil, err
	}
	retry, err := o.retry(conf, rmWaitKey, 15*time.Minute, rmIntervalKey, 30*time.Second)
	if err != nil {
		return nil, err
	}
	newSecurity := func(t token.Token) (*rpc.Security, error) { return o.security(conf, &t, "") }
	sec, err := newSecurity(tok)
	if err != nil {
		return nil, err
	}
	client, closeClient, err := o.connect(conf)
	if err != nil {
		return nil, err
	}
	o.RPC = client
	nodes, err := NewNodeManagers(conf, o)
	if err != nil {
		closeClient()
		return nil, err
	}
	return &ApplicationMaster{
		close: closeClient, log: o.log(), attempt: attemptID(id.GetAppAttemptId()), nodes: nodes, newSecurity: newSecurity, asks: NewAsks(), current: tok,
		beat:  make(chan struct{}, 1),
		proxy: client.Proxy(rpc.Target{Name: resourceManagerName(conf), Addresses: addrs, Protocol: masterProtocol, Security: sec, Retry: retry}),
	}, nil
}

// Close ends the connections. It does not unregister: Finish does.
func (m *ApplicationMaster) Close() { m.close() }

// Attempt is the attempt that the token proves.
func (m *ApplicationMaster) Attempt() AttemptID { return m.attempt }

// Nodes starts and stops containers with the tokens that this ApplicationMaster has received.
func (m *ApplicationMaster) Nodes() *NodeManagers { return m.nodes }

// LastAnswer is when the ResourceManager last answered, zero before the first time. After
// yarn.am.liveness-monitor.expiry-interval-ms without a heartbeat it gives the attempt up.
func (m *ApplicationMaster) LastAnswer() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.answered
}

// Request asks for n more containers, at the next heartbeat.
func (m *ApplicationMaster) Request(r Request, n int) RequestID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asks.Add(r, n)
}

// CancelRequest takes back up to n containers of a request that have not come, and tells how many.
func (m *ApplicationMaster) CancelRequest(id RequestID, n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asks.Cancel(id, n)
}

// Outstanding counts the containers asked for that have not come.
func (m *ApplicationMaster) Outstanding() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asks.Outstanding()
}

// Release gives containers back, at the next heartbeat; the ResourceManager has them killed.
func (m *ApplicationMaster) Release(ids ...ContainerID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		m.asks.Release(id)
	}
}

// Blacklist avoids hosts, and no longer avoids others.
func (m *ApplicationMaster) Blacklist(add, remove []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asks.Blacklist(add, remove)
}

// turn waits until no other call to the ResourceManager goes on; done ends the caller's.
func (m *ApplicationMaster) turn(ctx context.Context) error {
	select {
	case m.beat <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("another call to the ResourceManager is still going on: %w", context.Cause(ctx))
	}
}

func (m *ApplicationMaster) done() { <-m.beat }

// Register tells the ResourceManager that the ApplicationMaster runs. It comes first.
func (m *ApplicationMaster) Register(ctx context.Context, r RegisterRequest) (*Registration, error) {
	if err := m.turn(ctx); err != nil {
		return nil, err
	}
	defer m.done()
	m.mu.Lock()
	m.register = r
	m.mu.Unlock()
	return m.doRegister(ctx)
}

// doRegister registers or, after a restart of the ResourceManager, registers again. The caller holds beat.
func (m *ApplicationMaster) doRegister(ctx context.Context) (*Registration, error) {
	port := int32(m.register.Port)
	req := &yarnpb.RegisterApplicationMasterRequest{Host: &m.register.Host, RpcPort: &port, TrackingUrl: &m.register.TrackingURL}
	var out yarnpb.RegisterApplicationMasterResponse
	info, err := m.call(ctx, "registerApplicationMaster", req, &out)
	if errors.Is(err, ErrInvalidAMRequest) && info.MaybeRepeated && strings.Contains(err.Error(), "already registered") {
		// An attempt of this very call got through and its answer was lost.
		m.log.Warn("registered, but the ResourceManager's answer was lost", "attempt", m.attempt)
		err = nil
	}
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.responseID = 0
	m.addNodeTokens(out.GetNmTokensFromPreviousAttempts())
	reg := &Registration{Max: resource(out.GetMaximumCapability()), Queue: out.GetQueue()}
	for _, c := range out.GetContainersFromPreviousAttempts() {
		reg.Previous = append(reg.Previous, container(c))
	}
	for _, acl := range out.GetApplicationAcls() {
		switch acl.GetAccessType() {
		case yarnpb.ApplicationAccessType_APPACCESS_VIEW_APP:
			reg.ViewACL = acl.GetAcl()
		case yarnpb.ApplicationAccessType_APPACCESS_MODIFY_APP:
			reg.ModifyACL = acl.GetAcl()
		}
	}
	return reg, nil
}

// call does one call; a new token that the ResourceManager does not take gives way to the one before.
func (m *ApplicationMaster) call(ctx context.Context, method string, req, resp proto.Message) (rpc.Info, error) {
	info, err := m.proxy.CallInfo(ctx, method, req, resp)
	m.mu.Lock()
	before := m.previous
	m.previous = nil
	m.mu.Unlock()
	if before != nil && errors.Is(err, rpc.ErrInvalidToken) {
		m.log.Warn("the ResourceManager does not take the new AMRM token, going on with the old one", "error", err)
		m.proxy.SetSecurity(before)
		m.mu.Lock()
		m.current = *before.Token
		m.mu.Unlock()
		info, err = m.proxy.CallInfo(ctx, method, req, resp)
	}
	if err == nil {
		m.mu.Lock()
		m.answered = time.Now()
		m.mu.Unlock()
	}
	return info, err
}

// Allocate is one heartbeat: it says what has changed since the last one and gives what the ResourceManager has. progress
// is 0 to 1. A restarted ResourceManager is told everything again. ErrAttemptNotFound and ErrShutdown mean that the process must end.
func (m *ApplicationMaster) Allocate(ctx context.Context, progress float32) (*Allocation, error) {
	if err := m.turn(ctx); err != nil {
		return nil, err
	}
	defer m.done()
	resynced := false
	for range maxResyncs {
		out, err := m.heartbeat(ctx, progress)
		switch {
		case errors.Is(err, ErrNotRegistered), err == nil && out.GetAmCommand() == yarnpb.AMCommand_AM_RESYNC && out.AmCommand != nil:
			if err := m.resync(ctx); err != nil {
				return nil, err
			}
			resynced = true
			continue
		case err != nil:
			return nil, err
		case out.AmCommand != nil && out.GetAmCommand() == yarnpb.AMCommand_AM_SHUTDOWN:
			return nil, ErrShutdown
		}
		a := m.take(out)
		a.Resynced = resynced
		return a, nil
	}
	return nil, fmt.Errorf("the ResourceManager asked %d times in a row to register again: %w", maxResyncs, ErrNotRegistered)
}

// resync registers again and has everything told again.
func (m *ApplicationMaster) resync(ctx context.Context) error {
	m.log.Info("the ResourceManager has restarted, registering again", "attempt", m.attempt)
	if _, err := m.doRegister(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asks.Resync()
	return nil
}

// heartbeat sends what is due.
func (m *ApplicationMaster) heartbeat(ctx context.Context, progress float32) (*yarnpb.AllocateResponse, error) {
	m.mu.Lock()
	h := m.asks.Next()
	id := m.responseID
	m.mu.Unlock()
	req := &yarnpb.AllocateRequest{ResponseId: &id, Progress: &progress, Release: containerIDs(h.Release)}
	for _, a := range h.Asks {
		req.Ask = append(req.Ask, a.proto())
	}
	if len(h.BlacklistAdd)+len(h.BlacklistRemove) > 0 {
		req.BlacklistRequest = &yarnpb.ResourceBlacklistRequest{BlacklistAdditions: h.BlacklistAdd, BlacklistRemovals: h.BlacklistRemove}
	}
	var out yarnpb.AllocateResponse
	if _, err := m.call(ctx, "allocate", req, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

func (a Ask) proto() *yarnpb.ResourceRequest {
	count, id, anywhere, relax := int32(a.Count), int64(a.ID), "*", true
	r := &yarnpb.ResourceRequest{
		Priority: &yarnpb.Priority{Priority: &a.Priority}, ResourceName: &anywhere, Capability: a.Resource.proto(), NumContainers: &count,
		RelaxLocality: &relax, AllocationRequestId: &id,
		ExecutionTypeRequest: &yarnpb.ExecutionTypeRequest{ExecutionType: yarnpb.ExecutionType_GUARANTEED.Enum()},
	}
	if a.NodeLabel != "" {
		r.NodeLabelExpression = &a.NodeLabel
	}
	return r
}

// take brings an answer into the tables.
func (m *ApplicationMaster) take(out *yarnpb.AllocateResponse) *Allocation {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.responseID = out.GetResponseId()
	m.addNodeTokens(out.GetNmTokens())
	m.rollOver(out.GetAmRmToken())
	a := &Allocation{Headroom: resource(out.GetLimit()), ClusterNodes: int(out.GetNumClusterNodes())}
	var allocated []Container
	for _, c := range out.GetAllocatedContainers() {
		allocated = append(allocated, container(c))
	}
	a.Allocated, a.Excess = m.asks.Answered(allocated)
	for _, s := range out.GetCompletedContainerStatuses() {
		status := containerStatus(s)
		m.asks.Completed(status.ID)
		a.Completed = append(a.Completed, status)
	}
	for _, n := range out.GetUpdatedNodes() {
		a.UpdatedNodes = append(a.UpdatedNodes, nodeReport(n))
	}
	for _, c := range out.GetContainersFromPreviousAttempts() {
		a.Previous = append(a.Previous, container(c))
	}
	for _, c := range append(out.GetPreempt().GetStrictContract().GetContainer(), out.GetPreempt().GetContract().GetContainer()...) {
		a.ToPreempt = append(a.ToPreempt, containerID(c.GetId()))
	}
	return a
}

func (m *ApplicationMaster) addNodeTokens(list []*yarnpb.NMToken) {
	for _, t := range list {
		m.nodes.SetToken(nodeID(t.GetNodeId()), token.FromProto(t.GetToken()))
	}
}

// rollOver begins to use a new AMRM token, by new connections. The ResourceManager sends it with each answer until we do. The
// caller holds mu.
func (m *ApplicationMaster) rollOver(p *commonpb.Token) {
	if p == nil {
		return
	}
	t := token.FromProto(p)
	if t.Equal(m.current) {
		return
	}
	sec, err := m.newSecurity(t)
	if err != nil {
		m.log.Error("new AMRM token", "error", err)
		return
	}
	m.log.Info("the ResourceManager has rolled its key over, using the new AMRM token")
	m.previous, m.current = m.proxy.Security(), t
	m.proxy.SetSecurity(sec)
}

// Finish unregisters with the application's end and returns when the ResourceManager has noted it down; after that the
// process is free to end. trackingURL is where history is kept, or empty.
func (m *ApplicationMaster) Finish(ctx context.Context, status FinalStatus, diagnostics, trackingURL string) error {
	if err := m.turn(ctx); err != nil {
		return err
	}
	defer m.done()
	req := &yarnpb.FinishApplicationMasterRequest{Diagnostics: &diagnostics, TrackingUrl: &trackingURL, FinalApplicationStatus: status.proto()}
	resyncs := 0
	for {
		var out yarnpb.FinishApplicationMasterResponse
		_, err := m.call(ctx, "finishApplicationMaster", req, &out)
		switch {
		case errors.Is(err, ErrNotRegistered) && resyncs < maxResyncs:
			resyncs++
			if err := m.resync(ctx); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		case out.GetIsUnregistered():
			return nil
		}
		if err := delay.For(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("unregister: the ResourceManager has not confirmed yet: %w", err)
		}
	}
}
