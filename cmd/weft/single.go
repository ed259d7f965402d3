package main

import (
	"context"
	"fmt"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/config"
)

// yarnCluster is the value of -m that means a cluster on YARN, as in every release of Flink.
const yarnCluster = client.YarnCluster

// target says where run sends a job. A cluster that was named wins over the configuration.
func (s *settings) target(c *config.Config) (string, error) {
	target := config.Get(c, config.Target)
	switch {
	case s.application != "":
		return config.TargetSession, nil
	case s.master == yarnCluster && target == config.TargetApplication:
		return target, nil
	case s.master == yarnCluster:
		return config.TargetPerJob, nil
	case s.master != "":
		return config.TargetSession, nil
	}
	return target, checkTarget("run", c)
}

// runOwn runs a job in a cluster of its own: main here, or beside the JobManager.
func (p *process) runOwn(ctx context.Context, c *client.Client, s *settings, target string) error {
	run := client.Run{Job: s.words[0], Args: s.words[1:], Class: s.class, Detached: !config.Get(c.Config, config.Attached), Own: true, Ship: s.ship}
	swept := c.Sweep(ctx)
	defer swept()
	if target == config.TargetApplication {
		return c.RunApplication(ctx, run)
	}
	return c.RunJob(ctx, run)
}

// runApplication is application mode.
func (p *process) runApplication(ctx context.Context, args []string) error {
	const name = "run-application"
	s, err := read(name, applicationModeOptions(), args, true)
	if err != nil {
		return err
	}
	if s.help {
		printHelp(p.stdout, name)
		return nil
	}
	// It takes nothing from a session.
	c, err := p.client(s, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	if s.query {
		return c.Query(ctx)
	}
	switch target := config.Get(c.Config, config.Target); {
	case target == config.TargetApplication, c.Config.Source(config.Target.Key) != "-t", s.master == yarnCluster:
	default:
		return &usageError{name, fmt.Sprintf("-t %s: expected %s; weft run takes the other targets", target, config.TargetApplication)}
	}
	if len(s.words) == 0 {
		return &usageError{name, "no job: give a job binary, here or on HDFS, or a Go package directory"}
	}
	return p.runOwn(ctx, c, s, config.TargetApplication)
}

// applicationModeOptions are those of run-application.
func applicationModeOptions() []option {
	own := []option{
		key("t,target", "target", config.Target.Key, "Where main runs: yarn-application, as without it."),
		flag("d,detached", "Return when the application runs.", detachedJob("-d")),
		key("p,parallelism", "n", config.DefaultParallelism.Key, "Parallelism of operators that have none of their own."),
		classOption(),
		flag("sae,shutdownOnAttachedExit", "Stop the application when this command is ended by Ctrl-C.", func(s *settings) {
			s.set(config.ShutdownOnAttachedExit.Key, "true", "-sae")
		}),
		property("D"),
		submitTimeout(),
		key("z,zookeeperNamespace", "name", config.ClusterID.Key, "Name of the cluster among those that share one high-availability store."),
		hide(masterOption("")),
		hide(key("yz,yarnzookeeperNamespace", "name", config.ClusterID.Key, "")),
		hide(key("e,executor", "target", config.Target.Key, "")),
		hide(property("yD")),
	}
	own = append(own, restoreOptions()...)
	own = append(append(own, yarnOptions()...), oldRunOptions()...)
	return append(own, helpOption())
}
