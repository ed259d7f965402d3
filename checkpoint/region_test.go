package checkpoint

import (
	"reflect"
	"slices"
	"testing"

	"github.com/weft-project/weft/graph/topology"
	"github.com/weft-project/weft/rpc/planpb"
)

// Who feeds whom is the same here as where channels are made.
func TestProducersAreThoseOfTheTopology(t *testing.T) {
	for up := 1; up <= 9; up++ {
		for down := 1; down <= 9; down++ {
			for pattern, p := range map[Pattern]planpb.Partitioner{AllToAll: planpb.Partitioner_HASH, Pointwise: planpb.Partitioner_RESCALE} {
				g := &Graph{Vertices: []Vertex{{Parallelism: up}, {Parallelism: down}}}
				for s := range down {
					var want, got []int
					for i := range up {
						if slices.Contains(topology.Consumers(p, up, down, i), s) {
							want = append(want, i)
						}
					}
					from, end := g.producers(Edge{From: 0, To: 1, Pattern: pattern}, s)
					for i := from; i < end; i++ {
						got = append(got, i)
					}
					if !slices.Equal(got, want) {
						t.Fatalf("%v from %d to %d, consumer %d: producers %v, expected %v", p, up, down, s, got, want)
					}
				}
			}
		}
	}
}

func TestRegions(t *testing.T) {
	g := &Graph{
		Vertices: []Vertex{{Parallelism: 2}, {Parallelism: 2}, {Parallelism: 2}, {Parallelism: 1, Coordinator: true}, {Parallelism: 1}},
		Edges:    []Edge{{From: 0, To: 1, Pattern: Pointwise}, {From: 1, To: 2, Pattern: Pointwise, Blocking: true}, {From: 2, To: 4, Blocking: true}},
	}
	r := RegionsOf(g)
	want := [][]Task{{{0, 0}, {1, 0}}, {{0, 1}, {1, 1}}, {{2, 0}}, {{2, 1}}, {{3, 0}}, {{4, 0}}}
	if !reflect.DeepEqual(r.Tasks, want) {
		t.Fatalf("regions %v, expected %v", r.Tasks, want)
	}
	none := func(Task) bool { return false }
	for _, tt := range []struct {
		name   string
		failed []Task
		lost   func(Task) bool
		want   []Task
	}{
		{"a source and its consumers", []Task{{0, 1}}, nil, []Task{{0, 1}, {1, 1}, {2, 1}, {4, 0}}},
		{"the last, with its input there", []Task{{4, 0}}, none, []Task{{4, 0}}},
		{"the last, with an input lost", []Task{{4, 0}}, func(t Task) bool { return t == Task{2, 0} }, []Task{{2, 0}, {4, 0}}},
		{"the coordinator", []Task{{3, 0}}, none, []Task{{3, 0}}},
	} {
		if got := r.Restart(tt.failed, tt.lost); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, expected %v", tt.name, got, tt.want)
		}
	}
	g.Edges = append(g.Edges, Edge{From: 0, To: 2})
	if r := RegionsOf(g); len(r.Tasks) != 3 || r.Of(Task{0, 0}) != r.Of(Task{2, 1}) {
		t.Errorf("one shuffle makes one region of all that it touches: %v", r.Tasks)
	}
}
