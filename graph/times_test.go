package graph

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
)

// Timestamps travel from where they are set to where they are read last, and not beyond an operator that sets new ones.
func TestWhereTimestampsTravel(t *testing.T) {
	b := &builder{t: t}
	source := b.source("source")
	set := b.op("set", dealt(source, planpb.Partitioner_REBALANCE))
	set.SetsTime, set.NewTime = true, true
	pass := b.op("pass", byKey(set))
	read := b.op("read", byKey(pass))
	read.ReadsTime = true
	after := b.op("after", byKey(read))
	b.sink("end", dealt(after, planpb.Partitioner_REBALANCE))
	b.sink("other end", dealt(set, planpb.Partitioner_REBALANCE))
	p, err := Compile(b.nodes, Settings{Name: "times", Parallelism: 2})
	if err != nil {
		t.Fatal(err)
	}
	var timed []bool
	for _, e := range p.Graph.Edges {
		timed = append(timed, e.Timed)
	}
	want := []bool{false, true, true, false, false, false}
	for i := range want {
		if len(timed) != len(want) || timed[i] != want[i] {
			t.Fatalf("edges carry timestamps: %v, expected %v", timed, want)
		}
	}
	if !strings.Contains(p.Graph.Canonical, "with timestamps") {
		t.Error("the fingerprint does not cover timestamps")
	}
}

// A side output is an output of its own type, on an edge or chained.
func TestSideOutputs(t *testing.T) {
	b := &builder{t: t}
	source := b.source("source")
	typ, err := operator.TypeOf[int64]()
	if err != nil {
		t.Fatal(err)
	}
	source.Sides = []operator.Side{{Name: "side", Type: typ}}
	b.sink("chained", Input{From: source, Partitioner: Auto, Output: 1})
	b.sink("apart", Input{From: source, Partitioner: planpb.Partitioner_REBALANCE, Output: 1})
	p, err := Compile(b.nodes, Settings{Name: "sides", Parallelism: 2})
	if err != nil {
		t.Fatal(err)
	}
	e := p.Graph.Edges[0]
	root := p.Vertices[e.Source].Root
	if e.Output != 1 || e.Type != "int64" || root.EdgeOutput[0] != 1 || len(root.Chained) != 1 || root.Chained[0].Output != 1 {
		t.Errorf("edge %v, chained %v", e, root.Chained)
	}
}
