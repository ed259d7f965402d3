package devcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// httpTimeout bounds a question to a daemon on loopback; one that does not answer in this time is not ready.
const httpTimeout = 10 * time.Second

// waitReady waits until every daemon serves.
func (c *Cluster) waitReady(ctx context.Context) error {
	for _, d := range c.daemonNames() {
		if err := c.waitDaemon(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// waitDaemon waits until d serves, or says why it ended.
func (c *Cluster) waitDaemon(ctx context.Context, d daemonName) error {
	var last error
	missed := false
	err := waitFor(ctx, askEvery, func() (bool, error) {
		// A process that has just been started may have no command line yet.
		if _, ok := c.running(d); !ok && missed {
			return false, c.failure(d)
		} else if missed = !ok; missed {
			return false, nil
		}
		var ok bool
		ok, last = c.serves(ctx, d)
		return ok, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s is not ready: %w (log: %s)", d, last, c.DaemonLog(d.String()))
	}
	return err
}

// serves asks whether a daemon is ready; the error says why it is not.
func (c *Cluster) serves(ctx context.Context, d daemonName) (bool, error) {
	switch d.kind {
	case kindKDC, kindKDCAhead:
		address := c.KDC()
		if d.kind == kindKDCAhead {
			address = c.KDCAhead()
		}
		conn, err := (&net.Dialer{Timeout: httpTimeout}).DialContext(ctx, "tcp", address)
		if err != nil {
			return false, err
		}
		conn.Close()
	case kindNameNode:
		var s struct{ Beans []struct{ FSState string } }
		url := "http://" + c.NameNodeWeb() + "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState"
		if err := c.getJSON(ctx, url, &s); err != nil {
			return false, err
		}
		if len(s.Beans) == 0 || s.Beans[0].FSState != "Operational" {
			return false, fmt.Errorf("the NameNode is in safe mode")
		}
	case kindDataNode:
		return c.dataNodeLive(ctx, d.index)
	case kindResourceManager:
		return c.allNodesRunning(ctx)
	case kindNodeManager:
		return c.nodeRunning(ctx, c.NodeManager(d.index))
	}
	return true, nil
}

// dataNodeLive asks the NameNode for the DataNode's last heartbeat, and the DataNode whether it answers.
func (c *Cluster) dataNodeLive(ctx context.Context, i int) (bool, error) {
	var own struct{ Beans []json.RawMessage }
	if err := c.getJSON(ctx, fmt.Sprintf("http://%s/jmx?qry=Hadoop:service=DataNode,name=DataNodeInfo", loopback(c.state.Base+portDN0+3*i+2)), &own); err != nil {
		return false, err
	}
	var s struct{ Beans []struct{ LiveNodes string } }
	if err := c.getJSON(ctx, "http://"+c.NameNodeWeb()+"/jmx?qry=Hadoop:service=NameNode,name=NameNodeInfo", &s); err != nil {
		return false, err
	}
	var live map[string]struct {
		Xferaddr    string `json:"xferaddr"`
		LastContact int    `json:"lastContact"`
	}
	if len(s.Beans) == 0 {
		return false, fmt.Errorf("the NameNode has no NameNodeInfo yet")
	}
	if err := json.Unmarshal([]byte(s.Beans[0].LiveNodes), &live); err != nil {
		return false, err
	}
	for _, n := range live {
		if n.Xferaddr == c.DataNode(i) && n.LastContact <= 3 {
			return true, nil
		}
	}
	return false, fmt.Errorf("the NameNode has not heard of DataNode %s", c.DataNode(i))
}

// allNodesRunning asks whether every NodeManager that runs is registered, again after the ResourceManager's restart.
func (c *Cluster) allNodesRunning(ctx context.Context) (bool, error) {
	if _, err := c.Nodes(ctx); err != nil {
		return false, err
	}
	for _, d := range c.daemonNames() {
		if d.kind != kindNodeManager {
			continue
		}
		if _, runs := c.running(d); !runs {
			continue
		}
		if ok, err := c.nodeRunning(ctx, c.NodeManager(d.index)); !ok {
			return false, err
		}
	}
	return true, nil
}

func (c *Cluster) nodeRunning(ctx context.Context, id string) (bool, error) {
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return false, err
	}
	for _, n := range nodes {
		if n.ID == id && n.State == "RUNNING" {
			return true, nil
		}
	}
	return false, fmt.Errorf("the ResourceManager does not know NodeManager %s as RUNNING", id)
}

// Node is a NodeManager as the ResourceManager sees it.
type Node struct {
	ID          string `json:"id"`    // host:port
	State       string `json:"state"` // RUNNING, LOST, …
	Containers  int    `json:"numContainers"`
	UsedMB      int    `json:"usedMemoryMB"`
	AvailableMB int    `json:"availMemoryMB"`
	UsedVCores  int    `json:"usedVirtualCores"`
}

// Nodes returns the NodeManagers that the ResourceManager knows.
func (c *Cluster) Nodes(ctx context.Context) ([]Node, error) {
	var doc struct {
		Nodes *struct {
			Node []Node `json:"node"`
		} `json:"nodes"`
	}
	if err := c.RMGet(ctx, "/ws/v1/cluster/nodes", &doc); err != nil {
		return nil, err
	}
	if doc.Nodes == nil {
		return nil, nil
	}
	return doc.Nodes.Node, nil
}

// App is an application as the ResourceManager's REST API shows it.
type App struct {
	ID                string  `json:"id"`
	Name              string  `json:"name"`
	User              string  `json:"user"`
	Queue             string  `json:"queue"`
	Type              string  `json:"applicationType"`
	State             string  `json:"state"`       // NEW … RUNNING, FINISHED, FAILED, KILLED
	FinalStatus       string  `json:"finalStatus"` // UNDEFINED, SUCCEEDED, FAILED, KILLED
	Progress          float64 `json:"progress"`
	TrackingURL       string  `json:"trackingUrl"`
	Diagnostics       string  `json:"diagnostics"`
	AMContainerLogs   string  `json:"amContainerLogs"`
	AllocatedMB       int     `json:"allocatedMB"` // -1 when it does not run
	AllocatedVCores   int     `json:"allocatedVCores"`
	RunningContainers int     `json:"runningContainers"` // -1 when it does not run
	Started           int64   `json:"startedTime"`       // ms since 1970
	Launched          int64   `json:"launchTime"`
	Finished          int64   `json:"finishedTime"`
}

// App returns one application.
func (c *Cluster) App(ctx context.Context, id string) (App, error) {
	var doc struct{ App App }
	err := c.RMGet(ctx, "/ws/v1/cluster/apps/"+id, &doc)
	return doc.App, err
}

// Apps returns all applications, ended ones too.
func (c *Cluster) Apps(ctx context.Context) ([]App, error) {
	var doc struct {
		Apps *struct{ App []App }
	}
	if err := c.RMGet(ctx, "/ws/v1/cluster/apps", &doc); err != nil || doc.Apps == nil {
		return nil, err
	}
	return doc.Apps.App, nil
}

// RMGet reads a document of the ResourceManager's REST API, for example "/ws/v1/cluster/scheduler".
func (c *Cluster) RMGet(ctx context.Context, path string, into any) error {
	return c.getJSON(ctx, "http://"+c.RMWeb()+path, into)
}

func (c *Cluster) getJSON(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	web, err := c.httpAs(httpTimeout)
	if err != nil {
		return err
	}
	resp, err := web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %.300s", url, resp.Status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	return nil
}
