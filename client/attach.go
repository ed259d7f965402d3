package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/yarnrpc"
)

const (
	// statePoll is how often the prompt looks at the cluster.
	statePoll = time.Second
	// stopLimit bounds how long a session may take to end itself before YARN is asked to end it.
	stopLimit   = 20 * time.Second
	sessionHelp = "Available commands:\nhelp - show these commands\nstop - stop the YARN session\nquit - leave the session running and return"
)

// Announce prints what scripts and people look for once a session runs.
func (s *Session) Announce() {
	c := s.client.Console
	c.Print("JobManager Web Interface: http://%s", s.Address)
	if !s.App.IsZero() {
		c.Print("Application id: %s", s.App)
	}
}

// AnnounceDetached says how a detached session is ended.
func (s *Session) AnnounceDetached() {
	s.client.Console.Print(`The Weft YARN session cluster has been started in detached mode. In order to stop Weft gracefully, use the following command:
$ echo "stop" | ./bin/yarn-session.sh -id %[1]s
If this should not be possible, then you can also kill Weft via YARN's web interface or via:
$ yarn application -kill %[1]s
Note that killing Weft might not clean up all job artifacts and temporary files.`, s.App)
}

// Attach runs the prompt of an attached session until it is told to stop or quit, the session ends, or ctx ends (Ctrl-C),
// which shuts the session down when owner is set. At the end of standard input the session goes on being watched, as in Flink.
func (s *Session) Attach(ctx context.Context, owner bool) error {
	c := s.client
	c.Console.Say("%s", sessionHelp)
	lines := make(chan string)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(lines)
		in := bufio.NewScanner(c.Stdin)
		for in.Scan() {
			select {
			case lines <- in.Text():
			case <-stop:
				return
			}
		}
	}()
	ticker := time.NewTicker(statePoll)
	defer ticker.Stop()
	watch := &stateWatch{session: s}
	input := lines
	for {
		select {
		case line, ok := <-input:
			if !ok {
				input = nil
				continue
			}
			switch strings.TrimSpace(line) {
			case "":
			case "stop":
				c.Console.Say("Stopping the session.")
				return s.Stop(ctx)
			case "quit":
				s.client.Console.Say("The session goes on. To end it: echo stop | yarn-session.sh -id %s", s.App)
				return nil
			case "help":
				c.Console.Say("%s", sessionHelp)
			default:
				c.Console.Say("Unknown command '%s'. Showing help:\n%s", strings.TrimSpace(line), sessionHelp)
			}
		case <-ticker.C:
			if err := watch.look(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			if !owner {
				c.Console.Say("The session goes on. To end it: echo stop | yarn-session.sh -id %s", s.App)
				return nil
			}
			stopCtx, cancel := context.WithTimeout(context.Background(), stopLimit+cleanupLimit)
			defer cancel()
			c.Console.Say("Stopping the session.")
			return s.Stop(stopCtx)
		}
	}
}

// stateWatch follows a session for its attached user.
type stateWatch struct {
	session  *Session
	unknown  int
	overview string
}

// look asks once; an error ends the prompt.
func (w *stateWatch) look(ctx context.Context) error {
	s := w.session
	o, err := s.rest.Overview(ctx)
	if err == nil {
		w.unknown = 0
		line := fmt.Sprintf("TaskManagers %d, slots %d of %d free, jobs: %d running, %d finished, %d cancelled, %d failed",
			o.TaskManagers, o.SlotsAvailable, o.SlotsTotal, o.JobsRunning, o.JobsFinished, o.JobsCancelled, o.JobsFailed)
		if line != w.overview {
			w.overview = line
			s.client.Console.Say("%s", line)
		}
		return nil
	}
	if ctx.Err() != nil {
		return nil
	}
	report, err := s.client.running(ctx, s.App)
	if err == nil {
		// The JobManager is being started again, or its machine is slow.
		return nil
	}
	if report.State.Ended() {
		failed := report.Final == yarnrpc.FinalFailed || report.Final == yarnrpc.FinalKilled || report.State != yarnrpc.StateFinished
		if failed {
			s.client.Console.Say("The Weft Yarn cluster has failed.")
			return &Failure{ExitFailed, err}
		}
		s.client.Console.Say("The session has ended: %s", explainEnded(report))
		return nil
	}
	if w.unknown++; w.unknown > 5 {
		s.client.Console.Say("The Weft Yarn cluster is in an unknown state. Please check the Yarn cluster.")
		return err
	}
	return nil
}

// Stop ends the session: its JobManager is asked first, YARN when that does not help.
func (s *Session) Stop(ctx context.Context) error {
	c := s.client
	rm, err := c.resourceManager()
	if err != nil {
		return err
	}
	if err := s.rest.Shutdown(ctx); err != nil {
		var broken *rest.Unreachable
		if !errors.As(err, &broken) {
			return fmt.Errorf("stop %s: %w", s.App, err)
		}
	}
	deadline := time.Now().Add(stopLimit)
	killed := false
	for {
		report, err := rm.Report(ctx, s.App)
		switch {
		case errors.Is(err, yarnrpc.ErrApplicationNotFound), err == nil && report.State.Ended():
			if err := c.forget(s.App); err != nil {
				c.Console.Say("Warning: %v", err)
			}
			if st, err := c.openStaging(); err == nil && killed {
				err = st.discard(s.App.String())
				if err != nil {
					c.Log.Debug("clean up", "error", err)
				}
			}
			c.Console.Print("The session %s has been stopped.", s.App)
			return nil
		case err != nil:
			return fmt.Errorf("stop %s: %w", s.App, explainRM(err))
		case !killed && time.Now().After(deadline):
			killed = true
			c.Console.Say("The JobManager does not end by itself, asking YARN to end it.")
			if err := rm.Kill(ctx, s.App, "stopped by its user"); err != nil {
				return fmt.Errorf("stop %s: %w", s.App, explainRM(err))
			}
		}
		if err := delay.For(ctx, pollInterval); err != nil {
			return fmt.Errorf("stop %s: %w", s.App, err)
		}
	}
}

// Query prints what memory and vcores YARN has, by node and by queue.
func (c *Client) Query(ctx context.Context) error {
	rm, err := c.resourceManager()
	if err != nil {
		return err
	}
	nodes, err := rm.ClusterNodes(ctx, yarnrpc.NodeRunning)
	if err != nil {
		return explainRM(err)
	}
	root, err := rm.Queue(ctx, "root")
	if err != nil {
		return explainRM(err)
	}
	c.Console.Print("NodeManagers in the cluster: %d", len(nodes))
	c.Console.Print("%-40s %16s %16s %12s %12s %12s", "Node", "Memory MB", "Free MB", "VCores", "Free VCores", "Containers")
	var all, used yarnrpc.Resource
	for _, n := range nodes {
		c.Console.Print("%-40s %16d %16d %12d %12d %12d", n.ID, n.Capacity.MemoryMB, n.Capacity.MemoryMB-n.Used.MemoryMB, n.Capacity.VCores, n.Capacity.VCores-n.Used.VCores, n.Containers)
		all.MemoryMB, all.VCores = all.MemoryMB+n.Capacity.MemoryMB, all.VCores+n.Capacity.VCores
		used.MemoryMB, used.VCores = used.MemoryMB+n.Used.MemoryMB, used.VCores+n.Used.VCores
	}
	c.Console.Print("%-40s %16d %16d %12d %12d", "Summary", all.MemoryMB, all.MemoryMB-used.MemoryMB, all.VCores, all.VCores-used.VCores)
	c.Console.Print("")
	c.Console.Print("%-40s %10s %10s %10s %10s %10s %10s", "Queue", "State", "Capacity", "Maximum", "In use", "Running", "Waiting")
	root.Walk(func(q yarnrpc.QueueInfo) {
		name := q.Path
		if name == "" {
			name = q.Name
		}
		c.Console.Print("%-40s %10s %9.0f%% %9.0f%% %9.0f%% %10d %10d", name, q.State, 100*q.Capacity, 100*q.MaximumCapacity, 100*q.CurrentCapacity, q.Running, q.Pending)
	})
	return nil
}
