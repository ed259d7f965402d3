package web

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weft-project/weft/rest"
)

// Sizes of the drawn graph in SVG units (CSS pixels).
const (
	nodeWidth   = 230
	nodeHeight  = 92
	gapX        = 110
	gapY        = 26
	margin      = 8
	lineLength  = 26
	maxNodes    = 200
	lineOfTitle = 2
)

// graph is a job's plan, laid out from left to right.
type graph struct {
	Width, Height int
	Nodes         []graphNode
	Edges         []graphEdge
}

type graphNode struct {
	ID     string
	X, Y   int
	Class  string
	Lines  []string
	Detail string
	Flow   string
	// Full is the whole name.
	Full string
	// Load is how the busiest and the most held up of its running tasks have spent the last minute, Pressure the class that colours
	// the node: held, busy or idle; both empty where nothing is known.
	Load     bar
	Pressure string
}

type graphEdge struct {
	// Path is SVG path data made of numbers only.
	Path  string
	Label string
	// X and Y are where the label stands.
	X, Y int
}

// layout places each vertex one column right of its farthest input. A plan too large to draw, or one with a cycle,
// gives an empty graph.
func layout(d *rest.JobDetails) graph {
	nodes := d.Plan.Nodes
	if len(nodes) == 0 || len(nodes) > maxNodes {
		return graph{}
	}
	column, ok := columns(nodes)
	if !ok {
		return graph{}
	}
	vertices := map[string]rest.JobVertex{}
	order := []string{}
	for _, v := range d.Vertices {
		vertices[v.ID] = v
		order = append(order, v.ID)
	}
	for _, n := range nodes {
		if _, known := vertices[n.ID]; !known {
			vertices[n.ID] = rest.JobVertex{ID: n.ID, Name: n.ID, Parallelism: n.Parallelism, Status: "CREATED"}
			order = append(order, n.ID)
		}
	}
	g := graph{}
	rows := map[int]int{}
	place := map[string]graphNode{}
	for _, vertex := range order {
		col, drawn := column[vertex]
		if !drawn {
			continue
		}
		n := newNode(vertices[vertex])
		n.X = margin + col*(nodeWidth+gapX)
		n.Y = margin + rows[col]*(nodeHeight+gapY)
		rows[col]++
		place[vertex] = n
		g.Nodes = append(g.Nodes, n)
		g.Width = max(g.Width, n.X+nodeWidth+margin)
		g.Height = max(g.Height, n.Y+nodeHeight+margin)
	}
	for _, n := range nodes {
		for _, in := range n.Inputs {
			from, ok := place[in.ID]
			if !ok {
				continue
			}
			g.Edges = append(g.Edges, newEdge(from, place[n.ID], in.ShipStrategy))
		}
	}
	return g
}

// columns gives each node the length of the longest way to it.
func columns(nodes []rest.PlanNode) (map[string]int, bool) {
	column := map[string]int{}
	for _, n := range nodes {
		column[n.ID] = 0
	}
	for range len(nodes) + 1 {
		changed := false
		for _, n := range nodes {
			for _, in := range n.Inputs {
				from, known := column[in.ID]
				if known && column[n.ID] < from+1 {
					column[n.ID] = from + 1
					changed = true
				}
			}
		}
		if !changed {
			return column, true
		}
	}
	return nil, false
}

func newNode(v rest.JobVertex) graphNode {
	load := recentLoad(v.Load)
	return graphNode{
		Load: load, Pressure: pressure(v.Load),
		ID: v.ID, Class: stateClass(v.Status), Full: v.Name, Lines: wrap(v.Name, lineLength, lineOfTitle),
		Detail: strings.ToLower(v.Status) + " · parallelism " + strconv.Itoa(v.Parallelism),
		Flow:   flow(v),
	}
}

// mostly is from which part of its time on a task is called busy, or held back, by its colour.
const mostly = 0.5

// pressure names what colours a vertex, by Flink's order: what is held back points to a cause downstream.
func pressure(l *rest.Load) string {
	switch {
	case l == nil:
		return ""
	case l.Held > mostly:
		return "held"
	case l.Busy > mostly:
		return "busy"
	}
	return "idle"
}

func flow(v rest.JobVertex) string {
	var words []string
	if v.Metrics.ReadRecords > 0 {
		words = append(words, count(v.Metrics.ReadRecords)+" in")
	}
	if v.Metrics.WriteRecords > 0 {
		words = append(words, count(v.Metrics.WriteRecords)+" out")
	}
	return strings.Join(words, " · ")
}

func newEdge(from, to graphNode, label string) graphEdge {
	x1, y1 := from.X+nodeWidth, from.Y+nodeHeight/2
	x2, y2 := to.X, to.Y+nodeHeight/2
	bend := min((x2-x1)/2, gapX/2)
	s := strconv.Itoa
	path := "M" + s(x1) + " " + s(y1) + " C" + s(x1+bend) + " " + s(y1) + " " + s(x2-bend) + " " + s(y2) + " " + s(x2-5) + " " + s(y2)
	return graphEdge{Path: path, Label: strings.ToLower(label), X: (x1 + x2) / 2, Y: (y1+y2)/2 - 7}
}

// wrap breaks a name into lines of at most length characters, at blanks where there are some; what does not fit into
// the lines ends in an ellipsis.
func wrap(text string, length, lines int) []string {
	var result []string
	rest := strings.Join(strings.Fields(text), " ")
	for len(result) < lines && rest != "" {
		if utf8.RuneCountInString(rest) <= length {
			return append(result, rest)
		}
		runes := []rune(rest)
		cut := length
		for i := length; i > length/2; i-- {
			if runes[i] == ' ' {
				cut = i
				break
			}
		}
		if len(result) == lines-1 {
			return append(result, strings.TrimSpace(string(runes[:length-1]))+"…")
		}
		result = append(result, string(runes[:cut]))
		rest = strings.TrimSpace(string(runes[cut:]))
	}
	return result
}
