package devcluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Command is a shell command to run as a YARN application of one container: something that is certainly not the program
// under test, to fill a queue or to see what the NodeManagers do to a process.
type Command struct {
	Name     string
	Queue    string // default "default"
	MemoryMB int    // of the container, default 256
	Shell    string // run by the container's launch script
	Env      map[string]string
}

// Submit starts a command through the ResourceManager's REST API and returns its application id. The application never
// registers as ApplicationMasters do: when the command ends the application has FAILED, whatever its exit code.
func (c *Cluster) Submit(ctx context.Context, cmd Command) (appID string, err error) {
	if cmd.Queue == "" {
		cmd.Queue = "default"
	}
	if cmd.MemoryMB == 0 {
		cmd.MemoryMB = 256
	}
	var fresh struct {
		ID string `json:"application-id"`
	}
	if err := c.rmSend(ctx, http.MethodPost, "/ws/v1/cluster/apps/new-application", nil, &fresh); err != nil {
		return "", err
	}
	type entry struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	env := []entry{}
	for k, v := range cmd.Env {
		env = append(env, entry{k, v})
	}
	err = c.rmSend(ctx, http.MethodPost, "/ws/v1/cluster/apps", map[string]any{
		"application-id":   fresh.ID,
		"application-name": cmd.Name,
		"application-type": "COMMAND",
		"queue":            cmd.Queue,
		"max-app-attempts": 1,
		"resource":         map[string]int{"memory": cmd.MemoryMB, "vCores": 1},
		"am-container-spec": map[string]any{
			"commands":    map[string]string{"command": cmd.Shell},
			"environment": map[string]any{"entry": env},
		},
	}, nil)
	return fresh.ID, err
}

// KillApp ends an application as "yarn application -kill" does.
func (c *Cluster) KillApp(ctx context.Context, appID string) error {
	return c.rmSend(ctx, http.MethodPut, "/ws/v1/cluster/apps/"+appID+"/state", map[string]string{"state": "KILLED"}, nil)
}

// WaitApp waits until an application is in one of the given states and returns it; it fails when the context ends.
func (c *Cluster) WaitApp(ctx context.Context, appID string, states ...string) (App, error) {
	var app App
	err := waitFor(ctx, 100*time.Millisecond, func() (bool, error) {
		var err error
		if app, err = c.App(ctx, appID); err != nil {
			return false, err
		}
		for _, s := range states {
			if app.State == s {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return app, fmt.Errorf("devcluster: %s is %s (%s), waiting for %v: %w", appID, app.State, app.Diagnostics, states, err)
	}
	return app, nil
}

func (c *Cluster) rmSend(ctx context.Context, method, path string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.RMWeb()+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
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
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.500s", method, path, resp.Status, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
