package client

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"path/filepath"
	"strings"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/plural"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/jobview"
	"github.com/weft-project/weft/rpc/planpb"
)

// PlanForm is how Info prints a plan.
type PlanForm int

// The forms.
const (
	// PlanAsFlink is JSON between the lines that flink info prints.
	PlanAsFlink PlanForm = iota
	// PlanJSON is JSON alone, for programs.
	PlanJSON
	// PlanText is for people.
	PlanText
)

// Info plans a job without submitting it and prints the plan.
func (c *Client) Info(ctx context.Context, run Run, form PlanForm) error {
	bins, err := c.prepareJob(ctx, run.Job, run.Class, true)
	if err != nil {
		return err
	}
	defer bins.close()
	plan, err := c.startPlan(bins.plan, run.Args)
	if err != nil {
		return err
	}
	defer plan.End()
	graph, err := plan.next(ctx, config.Get(c.Config, config.PlanTimeout))
	if err != nil {
		return err
	}
	if graph == nil {
		_ = plan.Wait(ctx)
		return plan.withoutExecute()
	}
	if err := checkProtocol(graph); err != nil {
		return err
	}
	if graph.Name == "" {
		graph.Name = filepath.Base(run.Job)
	}
	return c.printPlan(graph, form)
}

// printPlan prints the plan of a graph.
func (c *Client) printPlan(g *planpb.JobGraph, form PlanForm) error {
	p := jobview.Plan(&jobview.Job{Graph: g})
	if form == PlanText {
		c.Console.Print("%s", planText(p))
		return nil
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	text := strings.TrimRight(b.String(), "\n")
	if form == PlanJSON {
		c.Console.Print("%s", text)
		return nil
	}
	c.Console.Print("----------------------- Execution Plan -----------------------")
	c.Console.Print("%s", text)
	c.Console.Print("--------------------------------------------------------------")
	c.Console.Print("\nNo description provided.")
	return nil
}

// planText draws a plan from its sources to its sinks: a number, the chained operators, where records come from.
func planText(p rest.Plan) string {
	var b strings.Builder
	slots, number := 0, map[string]int{}
	for i := range p.Nodes {
		// The document lists sinks first.
		n := p.Nodes[len(p.Nodes)-1-i]
		number[n.ID] = i + 1
		slots = max(slots, n.Parallelism)
	}
	fmt.Fprintf(&b, "Job '%s', %s, needs %s", p.Name, plural.Of(len(p.Nodes), "task"), plural.Of(slots, "slot"))
	for i := range p.Nodes {
		n := p.Nodes[len(p.Nodes)-1-i]
		fmt.Fprintf(&b, "\n\n%3d  parallelism %d", i+1, n.Parallelism)
		for _, in := range n.Inputs {
			fmt.Fprintf(&b, "\n     from %d by %s, %s", number[in.ID], in.ShipStrategy, in.Exchange)
		}
		for _, line := range strings.Split(strings.TrimSuffix(n.Description, "<br/>"), "<br/>") {
			b.WriteString("\n     " + html.UnescapeString(line))
		}
	}
	return b.String()
}
