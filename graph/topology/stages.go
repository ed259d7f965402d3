package topology

import "github.com/weft-project/weft/rpc/planpb"

// regions joins vertices that run at the same time: those that pipelined edges connect, whatever their direction.
type regions map[string]string

func (r regions) of(v string) string {
	for r[v] != "" && r[v] != v {
		v = r[v]
	}
	return v
}

func regionsOf(edges []*planpb.JobEdge) regions {
	r := regions{}
	for _, e := range edges {
		if e.GetExchange() != planpb.ExchangeMode_BLOCKING {
			if a, b := r.of(e.GetSource()), r.of(e.GetTarget()); a != b {
				r[a] = b
			}
		}
	}
	return r
}

// Untangle makes blocking edges pipelined where their reader could never begin: within a region, and between regions of which
// each waits for the other.
func Untangle(edges []*planpb.JobEdge) {
	for changed := true; changed; {
		changed = false
		r := regionsOf(edges)
		after := map[string]map[string]bool{} // region → regions that read it
		for _, e := range edges {
			a, b := r.of(e.GetSource()), r.of(e.GetTarget())
			if after[a] == nil {
				after[a] = map[string]bool{}
			}
			after[a][b] = after[a][b] || a != b
		}
		for _, e := range edges {
			a, b := r.of(e.GetSource()), r.of(e.GetTarget())
			if e.GetExchange() == planpb.ExchangeMode_BLOCKING && (a == b || reaches(after, b, a, map[string]bool{})) {
				e.Exchange, changed = planpb.ExchangeMode_PIPELINED_BOUNDED, true
			}
		}
	}
}

func reaches(after map[string]map[string]bool, from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	for next, ok := range after[from] {
		if ok && reaches(after, next, to, seen) {
			return true
		}
	}
	return false
}

// Stages deals the vertices of a graph to stages: a vertex's stage comes after those of all the vertices whose stored output it
// reads, and is that of the vertices it is connected with otherwise. The coordinator's is the first. It gives the number of stages
// too. A graph whose blocking edges are tangled (Untangle) is refused by ok.
func Stages(g *planpb.JobGraph) (stage map[string]int, n int, ok bool) {
	r := regionsOf(g.GetEdges())
	level := map[string]int{}
	for round := 0; ; round++ {
		changed := false
		for _, e := range g.GetEdges() {
			a, b := r.of(e.GetSource()), r.of(e.GetTarget())
			if e.GetExchange() == planpb.ExchangeMode_BLOCKING && level[b] <= level[a] {
				level[b] = level[a] + 1
				changed = true
			}
		}
		if !changed {
			break
		}
		if round > len(g.GetVertices()) {
			return nil, 0, false
		}
	}
	stage = map[string]int{}
	for _, v := range g.GetVertices() {
		s := level[r.of(v.GetId())]
		stage[v.GetId()] = s
		n = max(n, s+1)
	}
	return stage, n, true
}
