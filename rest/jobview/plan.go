package jobview

import (
	"html"
	"strings"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/planpb"
)

// Plan is the job graph as web UIs draw it, sinks first as in Flink's.
func Plan(j *Job) rest.Plan {
	p := rest.Plan{JobID: j.ID.String(), Name: j.Graph.GetName(), Type: j.kind()}
	shown := j.visible()
	known := map[string]bool{}
	for _, v := range shown {
		known[v.Id] = true
	}
	for i := len(shown) - 1; i >= 0; i-- {
		v := shown[i]
		node := rest.PlanNode{ID: v.Id, Parallelism: int(v.Parallelism), Description: describe(v), OptimizerProperties: map[string]any{}}
		for _, e := range j.Graph.GetEdges() {
			if e.Target == v.Id && known[e.Source] {
				node.Inputs = append(node.Inputs, rest.PlanInput{
					Num: len(node.Inputs), ID: e.Source, ShipStrategy: e.Partitioner.String(), Exchange: strings.ToLower(e.Exchange.String()),
				})
			}
		}
		p.Nodes = append(p.Nodes, node)
	}
	return p
}

// describe draws a chain of operators as Flink does: "a<br/>+- b<br/>   +- c<br/>".
func describe(v *planpb.JobVertex) string {
	if len(v.Operators) == 0 {
		return html.EscapeString(v.Name) + "<br/>"
	}
	var b strings.Builder
	for i, o := range v.Operators {
		if i > 0 {
			b.WriteString(strings.Repeat("   ", i-1) + "+- ")
		}
		name := o.Name
		if name == "" {
			name = o.Kind
		}
		b.WriteString(html.EscapeString(name) + "<br/>")
	}
	return b.String()
}
