package yarnrpc

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	yarnpb "github.com/weft-project/weft/internal/hadoop/proto/yarn"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// NodeManagers speaks to NodeManagers as an application attempt. It keeps the token of each node, which the
// ResourceManager gives only once for an attempt. It is safe for use by several goroutines.
type NodeManagers struct {
	client      *rpc.Client
	close       func()
	retry       rpc.Retry
	newSecurity func(token.Token) (*rpc.Security, error)

	mu    sync.Mutex
	nodes map[NodeID]*nodeProxy
}

type nodeProxy struct {
	token token.Token
	proxy *rpc.Proxy
}

// NewNodeManagers makes one without tokens; ApplicationMaster makes and fills its own.
func NewNodeManagers(conf *hadoopconf.Conf, o Options) (*NodeManagers, error) {
	retry, err := o.retry(conf, nmWaitKey, 3*time.Minute, nmIntervalKey, 10*time.Second)
	if err != nil {
		return nil, err
	}
	newSecurity := func(t token.Token) (*rpc.Security, error) { return o.security(conf, &t, "") }
	if _, err := newSecurity(token.Token{}); err != nil {
		return nil, err
	}
	client, closeClient, err := o.connect(conf)
	if err != nil {
		return nil, err
	}
	return &NodeManagers{client: client, close: closeClient, retry: retry, newSecurity: newSecurity, nodes: map[NodeID]*nodeProxy{}}, nil
}

// Close ends its own connections.
func (n *NodeManagers) Close() { n.close() }

// SetToken stores the token for a node; a newer one replaces it.
func (n *NodeManagers) SetToken(node NodeID, t token.Token) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if old := n.nodes[node]; old != nil && old.token.Equal(t) {
		return
	}
	n.nodes[node] = &nodeProxy{token: t}
}

// Tokens gives the tokens at hand, for a successor in another process.
func (n *NodeManagers) Tokens() map[NodeID]token.Token {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[NodeID]token.Token{}
	for id, p := range n.nodes {
		out[id] = p.token
	}
	return out
}

// proxy gives the proxy for a node.
func (n *NodeManagers) proxy(node NodeID) (*rpc.Proxy, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.nodes[node]
	if p == nil {
		return nil, fmt.Errorf("NodeManager %s: no token for it; the ResourceManager gives one with the first container there", node)
	}
	if p.proxy == nil {
		sec, err := n.newSecurity(p.token)
		if err != nil {
			return nil, err
		}
		p.proxy = n.client.Proxy(rpc.Target{Name: "NodeManager", Addresses: []string{node.String()}, Protocol: containerProtocol, Security: sec, Retry: n.retry})
	}
	return p.proxy, nil
}

// Start is one container to start.
type Start struct {
	Container Container
	Launch    Launch
}

// Results are what became of each container of a request; nil is success, an exception of the NodeManager a
// *rpc.RemoteError.
type Results map[ContainerID]error

// StartContainers starts containers of one node. The error is for the request as a whole; each container's is in Results.
func (n *NodeManagers) StartContainers(ctx context.Context, node NodeID, starts ...Start) (Results, error) {
	proxy, err := n.proxy(node)
	if err != nil {
		return nil, err
	}
	req := &yarnpb.StartContainersRequest{}
	for _, s := range starts {
		launch, err := s.Launch.proto()
		if err != nil {
			return nil, fmt.Errorf("container %s: %w", s.Container.ID, err)
		}
		req.StartContainerRequest = append(req.StartContainerRequest, &yarnpb.StartContainerRequest{ContainerLaunchContext: launch, ContainerToken: s.Container.Token.Proto()})
	}
	var out yarnpb.StartContainersResponse
	info, err := proxy.CallInfo(ctx, "startContainers", req, &out)
	if err != nil {
		return nil, err
	}
	results := collect(out.GetSucceededRequests(), out.GetFailedRequests())
	for id, err := range results {
		// The answer to an attempt of this very request was lost: the container does run.
		if err != nil && info.MaybeRepeated && isRelaunch(err) {
			results[id] = nil
		}
	}
	return results, nil
}

// isRelaunch tells the NodeManager's refusal to start a container that it has started already, before and after its restart.
func isRelaunch(err error) bool {
	return strings.Contains(err.Error(), "Attempt to relaunch the same container") || strings.Contains(err.Error(), "already is running on this node")
}

// StartContainer starts one container.
func (n *NodeManagers) StartContainer(ctx context.Context, c Container, l Launch) error {
	results, err := n.StartContainers(ctx, c.Node, Start{Container: c, Launch: l})
	if err != nil {
		return err
	}
	if err, ok := results[c.ID]; err != nil || !ok {
		if err == nil {
			err = fmt.Errorf("its answer does not name the container")
		}
		return fmt.Errorf("NodeManager %s: start of container %s: %w", c.Node, c.ID, err)
	}
	return nil
}

// StopContainers stops containers of one node: SIGTERM, and SIGKILL after a quarter of a second (yarn.nodemanager.sleep-delay-before-sigkill.ms).
func (n *NodeManagers) StopContainers(ctx context.Context, node NodeID, ids ...ContainerID) (Results, error) {
	proxy, err := n.proxy(node)
	if err != nil {
		return nil, err
	}
	var out yarnpb.StopContainersResponse
	if err := proxy.Call(ctx, "stopContainers", &yarnpb.StopContainersRequest{ContainerId: containerIDs(ids)}, &out); err != nil {
		return nil, err
	}
	return collect(out.GetSucceededRequests(), out.GetFailedRequests()), nil
}

// ContainerStatuses asks about containers of one node; Results holds those that the NodeManager does not know.
func (n *NodeManagers) ContainerStatuses(ctx context.Context, node NodeID, ids ...ContainerID) ([]ContainerStatus, Results, error) {
	proxy, err := n.proxy(node)
	if err != nil {
		return nil, nil, err
	}
	var out yarnpb.GetContainerStatusesResponse
	if err := proxy.Call(ctx, "getContainerStatuses", &yarnpb.GetContainerStatusesRequest{ContainerId: containerIDs(ids)}, &out); err != nil {
		return nil, nil, err
	}
	var list []ContainerStatus
	for _, s := range out.GetStatus() {
		list = append(list, containerStatus(s))
	}
	return list, collect(nil, out.GetFailedRequests()), nil
}

func collect(succeeded []*yarnpb.ContainerId, failed []*yarnpb.ContainerExceptionMap) Results {
	r := Results{}
	for _, id := range succeeded {
		r[containerID(id)] = nil
	}
	for _, f := range failed {
		r[containerID(f.GetContainerId())] = serialized(f.GetException())
	}
	return r
}

// serialized makes an error of an exception inside a message.
func serialized(e *yarnpb.SerializedException) error {
	// The first line often says that, and the following ones why.
	text := strings.Join(strings.Fields(e.GetMessage()), " ")
	return &rpc.RemoteError{Class: e.GetClassName(), Message: text, Trace: e.GetTrace()}
}
