package devcluster

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Proc is a process in a container.
type Proc struct {
	PID, PPID   int
	Container   string // container_…, "" when neither environment nor working directory says
	Application string // application_…
	Exe, Cwd    string // as the kernel shows them
	Args        []string
	RSS         int64 // bytes
	VM          int64 // mapped bytes
}

// Processes returns the processes in the cluster's containers, of one application or, with "", of all.
func (c *Cluster) Processes(appID string) []Proc {
	var out []Proc
	for _, pid := range pids() {
		if !inContainer(pid, c.state.Dir) {
			continue
		}
		if p := describe(pid); appID == "" || p.Application == appID {
			out = append(out, p)
		}
	}
	return out
}

// describe reads what /proc says; of a process that ends meanwhile parts are missing.
func describe(pid int) Proc {
	p := Proc{PID: pid}
	p.Exe, _ = os.Readlink(procPath(pid, "exe"))
	p.Cwd, _ = os.Readlink(procPath(pid, "cwd"))
	if raw, err := os.ReadFile(procPath(pid, "cmdline")); err == nil {
		for _, a := range bytes.Split(bytes.TrimSuffix(raw, []byte{0}), []byte{0}) {
			p.Args = append(p.Args, string(a))
		}
	}
	env, _ := os.ReadFile(procPath(pid, "environ"))
	for kv := range bytes.SplitSeq(env, []byte{0}) {
		if v, ok := strings.CutPrefix(string(kv), "CONTAINER_ID="); ok {
			p.Container = v
		}
		if v, ok := strings.CutPrefix(string(kv), "LOG_DIRS="); ok && p.Application == "" {
			p.Application = elementWith(v, "application_")
		}
	}
	for _, path := range []string{p.Cwd, p.Exe} {
		if p.Container == "" {
			p.Container = elementWith(path, "container_")
		}
		if p.Application == "" {
			p.Application = elementWith(path, "application_")
		}
	}
	status, _ := os.ReadFile(procPath(pid, "status"))
	for line := range strings.SplitSeq(string(status), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "PPid:":
			p.PPID = int(n)
		case "VmRSS:":
			p.RSS = n << 10
		case "VmSize:":
			p.VM = n << 10
		}
	}
	return p
}

// elementWith returns the first element of a path that begins with prefix.
func elementWith(path, prefix string) string {
	for e := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(e, prefix) {
			return e
		}
	}
	return ""
}

// ContainerLogs returns the log files of an application, name ("container_…/jobmanager.log") → content: those on the
// NodeManagers' disks while it runs, the aggregated ones (as "yarn logs" finds them) afterwards.
func (c *Cluster) ContainerLogs(appID string) (map[string]string, error) {
	logs, err := c.localLogs(appID)
	if err != nil || len(logs) > 0 {
		return logs, err
	}
	return c.aggregatedLogs(appID)
}

func (c *Cluster) localLogs(appID string) (map[string]string, error) {
	logs := map[string]string{}
	for i := range c.state.NodeManagers {
		root := c.path(daemonName{kindNodeManager, i}.String(), "logs", appID)
		err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return nil // log aggregation removes files while we look
			}
			raw, err := os.ReadFile(name)
			if err != nil {
				return nil
			}
			rel, err := filepath.Rel(root, name)
			logs[rel] = string(raw)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return logs, nil
}

// aggregatedLogs reads the logs from HDFS by Hadoop's own "yarn logs".
func (c *Cluster) aggregatedLogs(appID string) (map[string]string, error) {
	out, err := os.MkdirTemp(c.path("tmp"), "logs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(out)
	if _, err := c.Java(context.Background(), "org.apache.hadoop.yarn.client.cli.LogsCLI",
		"-applicationId", appID, "-out", out); err != nil {
		return nil, fmt.Errorf("devcluster: logs of %s: %w", appID, err)
	}
	// out/NODE/CONTAINER is one text with the container's files one after the other.
	logs := map[string]string{}
	err = filepath.WalkDir(out, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		container := elementWith(filepath.ToSlash(name), "container_")
		for file, text := range splitLogs(string(raw)) {
			logs[container+"/"+file] = text
		}
		return nil
	})
	return logs, err
}

// splitLogs takes the output of "yarn logs" for one container apart: "LogType:NAME", some lines about it,
// "LogContents:", the text, "End of LogType:NAME".
func splitLogs(text string) map[string]string {
	logs := map[string]string{}
	for {
		_, rest, ok := strings.Cut(text, "LogType:")
		if !ok {
			return logs
		}
		name, rest, _ := strings.Cut(rest, "\n")
		_, rest, ok = strings.Cut(rest, "LogContents:\n")
		if !ok {
			return logs
		}
		name = strings.TrimSpace(name)
		content, after, _ := strings.Cut(rest, "\nEnd of LogType:"+name)
		logs[name] = content
		text = after
	}
}
