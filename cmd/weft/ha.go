package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/ha/site"
)

// haHelp is the help of weft ha.
var haHelp = help{
	usage: "ls|rm [OPTIONS] [CLUSTER...]", about: "show and remove what clusters have in the high-availability store",
	text: "The store is the one that high-availability.type and its keys name. ls lists its clusters, or those that are named, whether they\n" +
		"live or not. rm removes all that the store has of the clusters that are named: leader, jobs, checkpoint pointers and\n" +
		"results, but no checkpoint. It refuses clusters that live; with --force their JobManagers end.",
	options: haOptions,
	examples: []string{"weft ha ls", "weft ha ls --json", "weft ha rm application_1700000000000_0001",
		"weft ha ls -D high-availability.type=zookeeper -D high-availability.zookeeper.quorum=zk1:2181,zk2:2181,zk3:2181"},
}

func haOptions() []option {
	return []option{
		flag("json", "With ls: write the list as JSON.", func(s *settings) { s.asJSON = true }),
		flag("f,force", "With rm: remove clusters that live, too.", func(s *settings) { s.all = true }),
		property("D"),
		helpOption(),
	}
}

// highAvailability is weft ha.
func (p *process) highAvailability(ctx context.Context, args []string) error {
	const name = "ha"
	s, err := read(name, haOptions(), args, false)
	if err != nil {
		return err
	}
	if s.help {
		printHelp(p.stdout, name)
		return nil
	}
	if len(s.words) == 0 || s.words[0] != "ls" && s.words[0] != "rm" {
		return &usageError{name, "expected ls or rm"}
	}
	action, clusters := s.words[0], s.words[1:]
	switch {
	case action == "rm" && len(clusters) == 0:
		return &usageError{name, "rm: expected the ids of clusters, as weft ha ls shows them"}
	case action == "ls" && s.all:
		return &usageError{name, "--force goes with rm"}
	case action == "rm" && s.asJSON:
		return &usageError{name, "--json goes with ls"}
	}
	c, err := p.client(s, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	admin, where, err := site.OpenAdmin(c.Config, c.Files, c.Log)
	if errors.Is(err, site.ErrNone) {
		err = fmt.Errorf("%w; expected %s or %s, in the configuration or with -D", err, config.HAZooKeeper, config.HAHDFS)
	}
	if err != nil {
		return &client.Failure{Code: client.ExitUsage, Err: err}
	}
	if action == "ls" {
		err = p.listHA(ctx, admin, where, clusters, s.asJSON)
	} else {
		err = p.removeHA(ctx, admin, clusters, s.all)
	}
	return errors.Join(err, admin.Close())
}

// listHA is weft ha ls.
func (p *process) listHA(ctx context.Context, admin ha.Admin, where string, wanted []string, asJSON bool) error {
	all, err := admin.Clusters(ctx)
	if err != nil {
		return haFailure(where, err)
	}
	list := []ha.Cluster{}
	for _, c := range all {
		if len(wanted) == 0 || named(wanted, c.ID) {
			list = append(list, c)
		}
	}
	if asJSON {
		return p.haJSON(list)
	}
	if len(list) == 0 {
		fmt.Fprintf(p.stdout, "No clusters in %s\n", where)
		return nil
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLUSTER\tSTATE\tEPOCH\tLEADER\tSINCE\tJOBS\tCHECKPOINTED\tRESULTS")
	for _, c := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\n", c.ID, stateOf(c), orDash(c.Leader.Epoch != 0, c.Leader.Epoch.String()),
			orDash(c.Leader.Control != "", c.Leader.Control), orDash(!c.Changed.IsZero(), c.Changed.Format(time.DateTime)), c.Graphs, c.Checkpoints, c.Results)
	}
	return w.Flush()
}

// named reports whether a cluster was asked for.
func named(wanted []string, cluster string) bool {
	for _, w := range wanted {
		if clean, err := ha.CleanClusterID(w); err == nil && clean == cluster {
			return true
		}
	}
	return false
}

func stateOf(c ha.Cluster) string {
	if c.Live {
		return "live"
	}
	return "dead"
}

func orDash(there bool, text string) string {
	if there {
		return text
	}
	return "-"
}

// haJSON writes the list for programs.
func (p *process) haJSON(list []ha.Cluster) error {
	type document struct {
		Cluster      string `json:"cluster"`
		Live         bool   `json:"live"`
		Epoch        uint64 `json:"epoch,omitempty"`
		Leader       string `json:"leader,omitempty"`
		REST         string `json:"rest,omitempty"`
		Since        int64  `json:"since,omitempty"`
		Jobs         int    `json:"jobs"`
		Checkpointed int    `json:"checkpointed"`
		Results      int    `json:"results"`
	}
	docs := make([]document, len(list))
	for i, c := range list {
		docs[i] = document{Cluster: c.ID, Live: c.Live, Epoch: uint64(c.Leader.Epoch), Leader: c.Leader.Control, REST: c.Leader.REST,
			Jobs: c.Graphs, Checkpointed: c.Checkpoints, Results: c.Results}
		if !c.Changed.IsZero() {
			docs[i].Since = c.Changed.UnixMilli()
		}
	}
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	return e.Encode(docs)
}

// removeHA is weft ha rm. All clusters are tried; what was removed is said as it goes.
func (p *process) removeHA(ctx context.Context, admin ha.Admin, clusters []string, force bool) error {
	var failed []error
	for _, cluster := range clusters {
		err := admin.Remove(ctx, cluster, force)
		switch {
		case err == nil:
			fmt.Fprintf(p.stdout, "Removed %s\n", cluster)
		case errors.Is(err, ha.ErrLed):
			failed = append(failed, fmt.Errorf("%w; it was not touched. weft ha rm --force %s removes it all the same, and its JobManager ends", err, cluster))
		default:
			failed = append(failed, err)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &client.Failure{Code: client.ExitFailed, Err: errors.Join(failed...)}
}

func haFailure(where string, err error) error {
	return &client.Failure{Code: client.ExitUnreachable, Err: fmt.Errorf("high-availability store (%s): %w", where, err)}
}
