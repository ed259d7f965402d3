package yarntest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/weft-project/weft/internal/delay"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/yarnrpc"
)

// Heartbeats while containers are waited for, and else.
const (
	quickBeat = 100 * time.Millisecond
	slowBeat  = time.Second
)

// Main is the ApplicationMaster. args are its flags:
//
//	-containers N   allocate N containers, run the command in each, stop them when all run, finish as SUCCEEDED; with 0
//	                (default) idle until killed
//	-command LINE   what runs in the containers (default "exec sleep 600")
//	-memory MB      size of each (default 128)
//	-tracking URL   the address of its page
//	-hold DURATION  how long the containers run before they are stopped
//
// It returns the process's exit code; what goes wrong is written to stderr.
func Main(ctx context.Context, args []string, getenv func(string) string, stderr io.Writer) int {
	m := master{log: slog.New(slog.NewTextHandler(stderr, nil))}
	flags := flag.NewFlagSet("yarntest", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&m.containers, "containers", 0, "containers to run")
	flags.StringVar(&m.command, "command", "exec sleep 600", "what runs in them")
	flags.Int64Var(&m.memory, "memory", 128, "MB of each")
	flags.StringVar(&m.tracking, "tracking", "", "the address of its page")
	flags.DurationVar(&m.hold, "hold", 0, "how long they run")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := m.run(ctx, getenv); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

type master struct {
	log        *slog.Logger
	containers int
	command    string
	memory     int64
	hold       time.Duration
	tracking   string

	am *yarnrpc.ApplicationMaster
	// running are the containers started, ended those of them that have completed.
	running []yarnrpc.Container
	ended   map[yarnrpc.ContainerID]yarnrpc.ContainerStatus
}

func (m *master) run(ctx context.Context, getenv func(string) string) error {
	conf, err := hadoopconf.LoadFile(getenv, confFile)
	if err != nil {
		return err
	}
	creds, err := token.FromEnv(getenv)
	if err != nil {
		return err
	}
	if m.am, err = yarnrpc.NewApplicationMaster(conf, yarnrpc.Options{Credentials: creds, Log: m.log}); err != nil {
		return err
	}
	defer m.am.Close()
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	reg, err := m.am.Register(ctx, yarnrpc.RegisterRequest{Host: host, Port: -1, TrackingURL: m.tracking})
	if err != nil {
		return err
	}
	m.log.Info("registered", "attempt", m.am.Attempt(), "max", reg.Max, "queue", reg.Queue)
	if m.containers == 0 {
		return m.idle(ctx)
	}
	if err := m.work(ctx); err != nil {
		return errors.Join(err, m.am.Finish(ctx, yarnrpc.FinalFailed, err.Error(), ""))
	}
	return m.am.Finish(ctx, yarnrpc.FinalSucceeded, "", "")
}

// idle sends heartbeats until the process is killed.
func (m *master) idle(ctx context.Context) error {
	for {
		if _, err := m.am.Allocate(ctx, 0); err != nil {
			return err
		}
		if err := delay.For(ctx, slowBeat); err != nil {
			return err
		}
	}
}

// work runs the containers once.
func (m *master) work(ctx context.Context) error {
	m.ended = map[yarnrpc.ContainerID]yarnrpc.ContainerStatus{}
	m.am.Request(yarnrpc.Request{Resource: yarnrpc.Resource{MemoryMB: m.memory, VCores: 1}, Priority: 1}, m.containers)
	for len(m.running) < m.containers {
		if err := m.beat(ctx, quickBeat); err != nil {
			return err
		}
	}
	for !m.allRun(ctx) {
		if err := m.beat(ctx, quickBeat); err != nil {
			return err
		}
	}
	m.log.Info("all containers run", "count", len(m.running))
	for began := time.Now(); time.Since(began) < m.hold; {
		if err := m.beat(ctx, quickBeat); err != nil {
			return err
		}
	}
	for _, c := range m.running {
		if _, err := m.am.Nodes().StopContainers(ctx, c.Node, c.ID); err != nil {
			return err
		}
	}
	for len(m.ended) < len(m.running) {
		if err := m.beat(ctx, quickBeat); err != nil {
			return err
		}
	}
	for _, s := range m.ended {
		m.log.Info(s.Explain(), "status", s.ExitStatus)
	}
	return nil
}

// beat is one heartbeat and what follows from it.
func (m *master) beat(ctx context.Context, pause time.Duration) error {
	a, err := m.am.Allocate(ctx, 0.5)
	if err != nil {
		return err
	}
	for _, c := range a.Allocated {
		launch := yarnrpc.Launch{Commands: []string{m.command}}
		if err := m.am.Nodes().StartContainer(ctx, c, launch); err != nil {
			return err
		}
		m.log.Info("started", "container", c.ID, "node", c.Node)
		m.running = append(m.running, c)
	}
	for _, s := range a.Completed {
		m.ended[s.ID] = s
	}
	return delay.For(ctx, pause)
}

// allRun asks the NodeManagers.
func (m *master) allRun(ctx context.Context) bool {
	for _, c := range m.running {
		list, _, err := m.am.Nodes().ContainerStatuses(ctx, c.Node, c.ID)
		if err != nil || len(list) != 1 || list[0].State != yarnrpc.ContainerRunning {
			m.log.Info("not running yet", "container", c.ID, "statuses", list, "error", err)
			return false
		}
	}
	return true
}
