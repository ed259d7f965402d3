package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/hadoop/aggregatedlogs"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/yarnrpc"
)

// stored shows the logs that NodeManagers have stored at an application's end. A file that can not be read holds up no other.
func (s *logShow) stored(ctx context.Context, app yarnrpc.ApplicationID) error {
	conf, err := s.client.Hadoop()
	if err != nil {
		return err
	}
	stores, err := s.client.files()
	if err != nil {
		return err
	}
	dirs := aggregatedlogs.Dirs(conf.Get, s.user, app.String(), int(app.Number))
	var failed []error
	found := 0
	for _, dir := range dirs {
		n, err := s.storedIn(ctx, stores, dir)
		found += n
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	hint := "; Hadoop's own command: yarn logs -applicationId " + app.String() + " -appOwner " + s.user
	switch {
	case len(failed) > 0:
		return unreachable("%w%s", errors.Join(failed...), hint)
	case found == 0:
		return unreachable("YARN has stored none in %s: they come some seconds after the end, where yarn.log-aggregation-enable is true, and go after "+
			"yarn.log-aggregation.retain-seconds%s", strings.Join(dirs, ", "), hint)
	case s.shown == 0:
		return unreachable("nothing of what YARN has stored is asked for (--container, --file)%s", hint)
	}
	return nil
}

// storedIn shows those of one directory, and counts its files.
func (s *logShow) storedIn(ctx context.Context, stores *fs.Registry, dir string) (found int, err error) {
	store, p, err := stores.Get(dir)
	if err != nil {
		return 0, err
	}
	entries, err := store.List(ctx, p)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, explainStore(err)
	}
	var failed []error
	for _, e := range entries {
		name := path.Base(e.Path)
		switch {
		case strings.HasSuffix(name, ".tmp"):
			s.client.Console.Say("Note: node %s is still storing its logs", nodeOf(strings.TrimSuffix(name, ".tmp")))
		case strings.HasSuffix(name, ".har"):
			failed = append(failed, fmt.Errorf("%s%s is a Hadoop archive, which is not read here", store.URI(), e.Path))
		case !e.IsDir && aggregatedlogs.Stored(name):
			found++
			if err := s.storedFile(ctx, store, e, nodeOf(name)); err != nil {
				failed = append(failed, fmt.Errorf("%s%s: %w", store.URI(), e.Path, err))
			}
		}
	}
	return found, errors.Join(failed...)
}

// storedFile shows what one node has stored.
func (s *logShow) storedFile(ctx context.Context, store fs.FileSystem, e fs.FileInfo, node string) error {
	r, err := store.Open(ctx, e.Path)
	if err != nil {
		return err
	}
	defer r.Close()
	return aggregatedlogs.Read(&readerAt{r: r}, r.Size(), func(f aggregatedlogs.File, content io.Reader) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return s.file(f.Container, node, f.Name, strconv.FormatInt(f.Size, 10), func(to io.Writer) error {
			_, err := io.Copy(to, content)
			return err
		})
	})
}

// readerAt reads a file at places; one that goes on where the last one ended does not seek.
type readerAt struct {
	r  fs.Reader
	at int64
}

// ReadAt is io.ReaderAt's.
func (r *readerAt) ReadAt(b []byte, off int64) (int, error) {
	if off != r.at {
		if _, err := r.r.Seek(off, io.SeekStart); err != nil {
			return 0, err
		}
	}
	n, err := io.ReadFull(r.r, b)
	r.at = off + int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// nodeOf makes a node of a stored file's name, host_port or, of logs collected in several turns, host_port_time.
func nodeOf(name string) string {
	parts := strings.Split(name, "_")
	for i := len(parts) - 1; i > 0; i-- {
		if _, err := strconv.ParseUint(parts[i], 10, 16); err == nil {
			return strings.Join(parts[:i], "_") + ":" + parts[i]
		}
	}
	return name
}

// endedContainers are those asked for that do not run any more although the application does, where a node still has their logs: the
// one of --container, and those that had tasks of the job.
func (c *Client) endedContainers(ctx context.Context, rm *yarnrpc.ClientRM, show *logShow, live []yarnrpc.ContainerReport, job id.Job) []yarnrpc.ContainerReport {
	wanted := map[string]bool{}
	if show.logs.Container != "" {
		wanted[show.logs.Container] = true
	} else if !job.IsZero() {
		c.containersOf(ctx, show.logs.Which, job, wanted)
	}
	for _, r := range live {
		delete(wanted, r.ID.String())
	}
	if len(wanted) == 0 {
		return nil
	}
	nodes, err := rm.ClusterNodes(ctx, yarnrpc.NodeRunning)
	conf, confErr := c.Hadoop()
	if err = errors.Join(err, confErr); err != nil {
		c.Log.Debug("logs of ended containers", "error", err)
		return nil
	}
	var out []yarnrpc.ContainerReport
	for name := range wanted {
		container, err := yarnrpc.ParseContainerID(name)
		if err != nil {
			continue
		}
		for _, n := range nodes {
			r := yarnrpc.ContainerReport{ID: container, Node: n.ID, HTTPAddress: n.HTTPAddress}
			if files, err := c.newNodeLogs(r, show.user, conf.HTTPSOnly()).list(ctx); err == nil && len(files) > 0 {
				out = append(out, r)
				break
			}
		}
	}
	return out
}

// containersOf adds the containers that had tasks of a job, as its JobManager remembers them.
func (c *Client) containersOf(ctx context.Context, which Which, job id.Job, to map[string]bool) {
	s, err := c.FindSession(ctx, which)
	if err != nil {
		return
	}
	details, err := try(ctx, s, func(r *rest.Client) (rest.JobDetails, error) { return r.Job(ctx, job) })
	if err != nil {
		return
	}
	for _, v := range details.Vertices {
		vertex, err := id.ParseVertex(v.ID)
		if err != nil {
			continue
		}
		d, err := s.rest.Vertex(ctx, job, vertex)
		if err != nil {
			continue
		}
		for _, t := range d.Subtasks {
			to[t.TaskManagerID] = true
		}
	}
	exceptions, err := s.rest.Exceptions(ctx, job)
	if err != nil {
		return
	}
	for _, e := range exceptions.History.Entries {
		for _, x := range slices.Concat([]rest.ExceptionInfo{e.ExceptionInfo}, e.Concurrent) {
			if x.TaskManagerID != nil {
				to[*x.TaskManagerID] = true
			}
		}
	}
}
