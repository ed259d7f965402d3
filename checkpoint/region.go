package checkpoint

import "slices"

// Regions are the parts of a job that fail and start again by themselves: tasks that exchange data while both run.
type Regions struct {
	g *Graph
	// Tasks of each region, in order.
	Tasks [][]Task
	of    map[Task]int
}

// RegionsOf computes the regions of a graph. The coordinator task is one by itself: readers are told when it was restored.
func RegionsOf(g *Graph) *Regions {
	first := make([]int, len(g.Vertices)) // number of the vertex's first task
	n := 0
	for v := range g.Vertices {
		first[v] = n
		n += g.Vertices[v].Parallelism
	}
	parent := make([]int, n)
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	join := func(a, b int) { parent[root(b)] = root(a) }
	for _, e := range g.Edges {
		if e.Blocking {
			continue
		}
		if e.Pattern == AllToAll { // one task of each end stands for all of it
			for s := range g.Vertices[e.From].Parallelism {
				join(first[e.From], first[e.From]+s)
			}
			for s := range g.Vertices[e.To].Parallelism {
				join(first[e.From], first[e.To]+s)
			}
			continue
		}
		for s := range g.Vertices[e.To].Parallelism {
			from, end := g.producers(e, s)
			for p := from; p < end; p++ {
				join(first[e.From]+p, first[e.To]+s)
			}
		}
	}
	r := &Regions{g: g, of: map[Task]int{}}
	number := map[int]int{}
	for i, t := range g.Tasks() {
		k, ok := number[root(i)]
		if !ok {
			k = len(r.Tasks)
			number[root(i)] = k
			r.Tasks = append(r.Tasks, nil)
		}
		r.Tasks[k] = append(r.Tasks[k], t)
		r.of[t] = k
	}
	return r
}

// Of is the number of a task's region.
func (r *Regions) Of(t Task) int { return r.of[t] }

// Restart gives the tasks that start again when some have failed, in order: their regions; regions whose stored output a restarted
// one needs and that is lost; and all regions that have consumed what a restarted one produces, because it may produce it in
// another order. lost tells that a task's stored output is gone; nil where nothing is stored.
func (r *Regions) Restart(failed []Task, lost func(Task) bool) []Task {
	again := map[int]bool{}
	var queue []int
	add := func(k int) {
		if !again[k] {
			again[k] = true
			queue = append(queue, k)
		}
	}
	for _, t := range failed {
		if k, ok := r.of[t]; ok {
			add(k)
		}
	}
	for len(queue) > 0 {
		k := queue[0]
		queue = queue[1:]
		for _, t := range r.Tasks[k] {
			for _, e := range r.g.Edges {
				if e.Blocking {
					r.neighbours(e, t, lost, add)
				}
			}
		}
	}
	var out []Task
	for k, tasks := range r.Tasks {
		if again[k] {
			out = append(out, tasks...)
		}
	}
	slices.SortFunc(out, func(a, b Task) int {
		if a.Vertex != b.Vertex {
			return a.Vertex - b.Vertex
		}
		return a.Subtask - b.Subtask
	})
	return out
}

// neighbours adds the regions at the other end of a blocking edge of a task that starts again.
func (r *Regions) neighbours(e Edge, t Task, lost func(Task) bool, add func(int)) {
	if e.To == t.Vertex && lost != nil {
		from, end := r.g.producers(e, t.Subtask)
		for s := from; s < end; s++ {
			if p := (Task{e.From, s}); lost(p) {
				add(r.of[p])
			}
		}
	}
	if e.From == t.Vertex {
		for s := range r.g.Vertices[e.To].Parallelism {
			if from, end := r.g.producers(e, s); from <= t.Subtask && t.Subtask < end {
				add(r.of[Task{e.To, s}])
			}
		}
	}
}
