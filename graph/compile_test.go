package graph

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
)

var update = flag.Bool("update", false, "write the goldens anew")

// builder makes graphs as stream does, without its functions.
type builder struct {
	t     *testing.T
	nodes []*Node
}

func noCode(*operator.Context, int, any) (operator.Instance, error) { return operator.Instance{}, nil }

func (b *builder) add(n *Node, from ...Input) *Node {
	b.t.Helper()
	n.Inputs = append(n.Inputs, from...)
	n.Factory = noCode
	if n.Kind != "sink" {
		typ, err := operator.TypeOf[string]()
		if err != nil {
			b.t.Fatal(err)
		}
		n.Out = typ
	}
	n.DeclaredAt = fmt.Sprintf("job/main.go:%d", 10+len(b.nodes))
	b.nodes = append(b.nodes, n)
	return n
}

func (b *builder) source(name string) *Node { return b.add(&Node{Name: name, Kind: "source"}) }

func (b *builder) op(name string, from ...Input) *Node {
	return b.add(&Node{Name: name, Kind: "map"}, from...)
}

func (b *builder) sink(name string, from ...Input) *Node {
	return b.add(&Node{Name: name, Kind: "sink"}, from...)
}

func auto(n *Node) Input { return Input{From: n, Partitioner: Auto} }

func dealt(n *Node, p planpb.Partitioner) Input { return Input{From: n, Partitioner: p} }

func byKey(n *Node) Input {
	return Input{From: n, Partitioner: planpb.Partitioner_HASH, KeyHash: func() any { return func(*string) uint64 { return 0 } }}
}

func coordinated(*operator.CoordinatorContext) (operator.Coordinator, error) { return nil, nil }

type golden struct {
	name  string
	s     Settings
	build func(b *builder)
}

func wordCountGraph(b *builder) {
	read := b.source("read")
	read.Coordinator, read.Reads = coordinated, []string{"hdfs:///in"}
	split := b.op("split", auto(read))
	count := b.add(&Node{Name: "count", Kind: "sum", Combine: noCode, UID: "counts"}, byKey(split))
	write := b.sink("write", auto(count))
	write.Coordinator, write.Writes, write.Scratch = coordinated, []string{"hdfs:///out"}, []string{"hdfs:///.weft-{job}"}
}

// batchExchanges has edges that are blocking in BATCH, one behind a combiner, and two whose readers would wait for each other.
func batchExchanges(b *builder) {
	s := b.source("s")
	count := b.add(&Node{Name: "count", Kind: "sum", Combine: noCode}, byKey(s))
	windows := b.op("windows", byKey(count))
	apart := b.op("apart", auto(windows))
	apart.NoChain = true
	b.sink("all", dealt(apart, planpb.Partitioner_REBALANCE), dealt(s, planpb.Partitioner_BROADCAST))
	b.sink("tangled", dealt(windows, planpb.Partitioner_SHUFFLE), auto(apart))
}

func goldens() []golden {
	batch, streaming, automatic := planpb.RuntimeMode_BATCH, planpb.RuntimeMode_STREAMING, planpb.RuntimeMode_AUTOMATIC
	return []golden{
		{"wordcount-batch", Settings{Name: "WordCount", Mode: batch, Parallelism: 4}, wordCountGraph},
		{"wordcount-streaming", Settings{Name: "WordCount", Mode: streaming, Parallelism: 4}, wordCountGraph},
		{"wordcount-automatic", Settings{Name: "WordCount", Mode: automatic, Parallelism: 200}, wordCountGraph},
		{"wordcount-unchained", Settings{Name: "WordCount", Mode: batch, Parallelism: 1, NoChaining: true, MaxParallelism: 9}, wordCountGraph},
		{"captured", Settings{Name: "say \"hi\"\n", Parallelism: 1, ExecuteCall: 2, Once: []string{"table"},
			Captured: []*planpb.Captured{{Name: "clock", Value: []byte("1")}, {Name: "rows", Value: []byte("[]")}}}, func(b *builder) {
			b.sink("end", auto(b.source("s")))
		}},
		{"branches", Settings{Name: "branches", Parallelism: 2}, func(b *builder) {
			s := b.source("numbers")
			m := b.op("map", auto(s))
			b.sink("left", auto(m))
			r := b.op("right", auto(m))
			b.sink("Sink: right end", auto(r))
			b.sink("elsewhere", dealt(m, planpb.Partitioner_REBALANCE))
		}},
		{"union", Settings{Name: "union", Parallelism: 3}, func(b *builder) {
			one, two := b.source("one"), b.source("two")
			two.Parallelism = 2
			b.sink("all", auto(one), auto(two), auto(one), dealt(two, planpb.Partitioner_BROADCAST))
		}},
		{"unbounded", Settings{Name: "socket", Mode: automatic, Parallelism: 3}, func(b *builder) {
			s := b.source("socket")
			s.MaxOne, s.Unbounded = true, true
			b.sink("print", auto(b.op("map", auto(s))))
		}},
		{"exchanges", Settings{Name: "exchanges", Mode: batch, Parallelism: 2}, batchExchanges},
		{"exchanges-pipelined", Settings{Name: "exchanges", Mode: batch, Parallelism: 2, Pipelined: true}, batchExchanges},
		{"chains", Settings{Name: "chains", Parallelism: 2}, func(b *builder) {
			s := b.source("s")
			alone := b.op("alone", auto(s))
			alone.NoChain = true
			begin := b.op("begins a chain", auto(b.op("after", auto(alone))))
			begin.StartChain = true
			group := b.op("another group", auto(begin))
			group.SlotGroup = "heavy"
			wide := b.op("wide", auto(b.op("same group", auto(group))))
			wide.Parallelism, wide.MaxParallelism = 5, 5
			b.sink("end", dealt(wide, planpb.Partitioner_GLOBAL), dealt(begin, planpb.Partitioner_SHUFFLE))
			b.sink("twins", dealt(begin, planpb.Partitioner_FORWARD))
			b.sink("neighbours", dealt(wide, planpb.Partitioner_RESCALE))
		}},
	}
}

func compiled(t *testing.T, g golden) *operator.Program {
	t.Helper()
	b := &builder{t: t}
	g.build(b)
	p, err := Compile(b.nodes, g.s)
	if err != nil {
		t.Fatalf("%s: %v", g.name, err)
	}
	return p
}

func TestGoldens(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			p := compiled(t, g)
			name := filepath.Join("testdata", g.name+".golden")
			if *update {
				if err := os.WriteFile(name, []byte(p.Graph.GetCanonical()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if d := Difference(string(want), p.Graph.GetCanonical()); d != "" {
				t.Errorf("run go test ./graph -update if this is meant; workers of an older binary will be refused:\n%s", d)
			}
			checkProgram(t, p)
		})
	}
}

// checkProgram holds what must be true of every compiled program.
func checkProgram(t *testing.T, p *operator.Program) {
	t.Helper()
	edges := map[uint32]int{}
	var visit func(n *operator.Node)
	visit = func(n *operator.Node) {
		for _, e := range n.Edges {
			edges[e]++
			hash := p.Graph.GetEdges()[e].GetPartitioner() == planpb.Partitioner_HASH
			if hash != (n.KeyHashes[e] != nil) {
				t.Errorf("edge %d out of %q: hash %t, but key hash %t", e, n.Name, hash, n.KeyHashes[e] != nil)
			}
		}
		for _, c := range n.Chained {
			visit(c.Node)
		}
	}
	ids := map[string]bool{}
	for _, v := range p.Graph.GetVertices() {
		if ids[v.GetId()] {
			t.Errorf("vertex id %s twice", v.GetId())
		}
		ids[v.GetId()] = true
		code := p.Vertices[v.GetId()]
		if (code == nil) != (v.GetKind() == planpb.VertexKind_COORDINATOR) {
			t.Errorf("vertex %q has code: %t", v.GetName(), code != nil)
		}
		if code == nil {
			continue
		}
		visit(code.Root)
		for _, e := range p.Graph.GetEdges() {
			if (e.GetTarget() == v.GetId()) != (code.Root.In[e.GetIndex()] != nil) {
				t.Errorf("edge %d into %q: the type it brings is not where it belongs", e.GetIndex(), v.GetName())
			}
		}
	}
	for i, e := range p.Graph.GetEdges() {
		if int(e.GetIndex()) != i || edges[e.GetIndex()] != 1 || !ids[e.GetSource()] || !ids[e.GetTarget()] {
			t.Errorf("edge %d: index %d, %d writers, known source %t and target %t", i, e.GetIndex(), edges[e.GetIndex()], ids[e.GetSource()], ids[e.GetTarget()])
		}
	}
	if len(p.Graph.GetFingerprint()) != 32 {
		t.Errorf("fingerprint of %d bytes", len(p.Graph.GetFingerprint()))
	}
}

// Compiling again gives the same, and does not change what the author built.
func TestFingerprintIsStable(t *testing.T) {
	all := map[string]string{}
	for _, g := range goldens() {
		b := &builder{t: t}
		g.build(b)
		before := fmt.Sprintf("%+v", shallow(b.nodes))
		first, err := Compile(b.nodes, g.s)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			again, err := Compile(b.nodes, g.s)
			if err != nil {
				t.Fatal(err)
			}
			if again.Graph.GetCanonical() != first.Graph.GetCanonical() || string(again.Graph.GetFingerprint()) != string(first.Graph.GetFingerprint()) {
				t.Fatalf("%s: compiled again it is\n%s", g.name, Difference(first.Graph.GetCanonical(), again.Graph.GetCanonical()))
			}
		}
		if after := fmt.Sprintf("%+v", shallow(b.nodes)); after != before {
			t.Errorf("%s: compiling changed the author's nodes", g.name)
		}
		fingerprint := string(first.Graph.GetFingerprint())
		if other := all[fingerprint]; other != "" {
			t.Errorf("%s and %s have one fingerprint", g.name, other)
		}
		all[fingerprint] = g.name
	}
}

// shallow are the nodes' own values, for comparing.
func shallow(nodes []*Node) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, fmt.Sprint(n.Name, n.Parallelism, n.MaxParallelism, n.SlotGroup, len(n.Inputs), n.NoChain, n.StartChain))
		for _, in := range n.Inputs {
			out = append(out, fmt.Sprint(in.From.Name, in.Partitioner))
		}
	}
	return out
}

// TestFingerprintCovers changes one thing at a time: each must show.
func TestFingerprintCovers(t *testing.T) {
	base := Settings{Name: "job", Mode: planpb.RuntimeMode_BATCH, Parallelism: 2, Captured: []*planpb.Captured{{Name: "a", Value: []byte("1")}}}
	build := func(change func(nodes map[string]*Node)) func(b *builder) {
		return func(b *builder) {
			wordCountGraph(b)
			nodes := map[string]*Node{}
			for _, n := range b.nodes {
				nodes[n.Name] = n
			}
			change(nodes)
		}
	}
	same := func(map[string]*Node) {}
	setting := func(f func(s *Settings)) golden {
		s := base
		f(&s)
		return golden{s: s, build: build(same)}
	}
	node := func(f func(nodes map[string]*Node)) golden { return golden{s: base, build: build(f)} }
	changed := map[string]golden{
		"name":            setting(func(s *Settings) { s.Name = "other" }),
		"mode":            setting(func(s *Settings) { s.Mode = planpb.RuntimeMode_STREAMING }),
		"parallelism":     setting(func(s *Settings) { s.Parallelism = 3 }),
		"max parallelism": setting(func(s *Settings) { s.MaxParallelism = 64 }),
		"call":            setting(func(s *Settings) { s.ExecuteCall = 1 }),
		"captured":        setting(func(s *Settings) { s.Captured = []*planpb.Captured{{Name: "a", Value: []byte("2")}} }),
		"once":            setting(func(s *Settings) { s.Once = []string{"x"} }),
		"chaining":        setting(func(s *Settings) { s.NoChaining = true }),
		"operator name":   node(func(n map[string]*Node) { n["split"].Name = "cut" }),
		"operator kind":   node(func(n map[string]*Node) { n["split"].Kind = "flatMap" }),
		"uid":             node(func(n map[string]*Node) { n["count"].UID = "other" }),
		"group":           node(func(n map[string]*Node) { n["write"].SlotGroup = "io" }),
		"partitioner":     node(func(n map[string]*Node) { n["split"].Inputs[0].Partitioner = planpb.Partitioner_SHUFFLE }),
		"input":           node(func(n map[string]*Node) { n["read"].Reads = []string{"hdfs:///other"} }),
		"output":          node(func(n map[string]*Node) { n["write"].Writes = []string{"hdfs:///other"} }),
		"type": node(func(n map[string]*Node) {
			n["split"].Out, _ = operator.TypeOf[int64]()
		}),
	}
	first := compiled(t, golden{s: base, build: build(same)})
	seen := map[string]string{string(first.Graph.GetFingerprint()): "unchanged"}
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		p := compiled(t, changed[name])
		if other := seen[string(p.Graph.GetFingerprint())]; other != "" {
			t.Errorf("another %s gives the fingerprint of %s", name, other)
		}
		seen[string(p.Graph.GetFingerprint())] = name
		if Difference(first.Graph.GetCanonical(), p.Graph.GetCanonical()) == "" {
			t.Errorf("another %s: no difference is told", name)
		}
	}
	moved := compiled(t, node(func(n map[string]*Node) { n["split"].DeclaredAt = "job/main.go:999" }))
	if string(moved.Graph.GetFingerprint()) != string(first.Graph.GetFingerprint()) {
		t.Error("a line number is part of the fingerprint")
	}
}

func TestDifference(t *testing.T) {
	tests := []struct{ deployed, rebuilt, want string }{
		{"a\nb\n", "a\nb\n", ""},
		{"a\nb\n", "a\nc\n", "deployed: b\nrebuilt:  c"},
		{"a\n  b\n", "a\n", "deployed: b\nrebuilt:  (nothing)"},
		{"a\n", "a\nb\nc\n", "deployed: (nothing)\nrebuilt:  b\ndeployed: (nothing)\nrebuilt:  c"},
		{"1\n2\n3\n4\n", "a\nb\nc\nd\n", "deployed: 1\nrebuilt:  a\ndeployed: 2\nrebuilt:  b\ndeployed: 3\nrebuilt:  c"},
	}
	for _, tt := range tests {
		if got := Difference(tt.deployed, tt.rebuilt); got != tt.want {
			t.Errorf("%q and %q differ by\n%s\nexpected\n%s", tt.deployed, tt.rebuilt, got, tt.want)
		}
	}
}

// TestBadGraphs: each gives one sentence that names the author's line.
func TestBadGraphs(t *testing.T) {
	s := Settings{Name: "bad", Parallelism: 4}
	tests := []struct {
		s     Settings
		build func(b *builder)
		want  string
	}{
		{s, func(*builder) {}, "the job has no operators: nothing was added to the environment before Execute"},
		{s, func(b *builder) { b.source("s") },
			`job/main.go:10: operator "s": nothing consumes its output; end the stream with a sink, stream.Discard for none`},
		{s, func(b *builder) {
			src := b.source("s")
			src.UID = "x"
			b.sink("end", auto(src)).UID = "x"
		}, `job/main.go:11: operator "end": UID "x" is taken by job/main.go:10: operator "s"`},
		{s, func(b *builder) { b.sink("end", auto(b.source("s"))).Parallelism = -1 },
			`job/main.go:11: operator "end": parallelism -1: expected 1 to 32768`},
		{s, func(b *builder) { b.sink("end", auto(b.source("s"))).Parallelism = 40000 },
			`job/main.go:11: operator "end": parallelism 40000: expected 1 to 32768`},
		{s, func(b *builder) { b.sink("end", auto(b.source("s"))).MaxParallelism = 3 },
			`job/main.go:11: operator "end": parallelism 4 is more than the max parallelism 3`},
		{s, func(b *builder) { b.sink("end", auto(b.source("s"))).MaxParallelism = 40000 },
			`job/main.go:11: operator "end": max parallelism 40000: expected 1 to 32768`},
		{s, func(b *builder) { b.sink("end", auto(b.source("s"))).MaxParallelism = -2 },
			`job/main.go:11: operator "end": max parallelism -2: expected 1 to 32768`},
		{s, func(b *builder) {
			src := b.source("socket")
			src.MaxOne, src.Parallelism = true, 2
			b.sink("end", auto(src))
		}, `job/main.go:10: operator "socket": parallelism 2: this operator can not run in parallel`},
		{s, func(b *builder) {
			src := b.source("s")
			src.Parallelism = 2
			b.sink("end", dealt(src, planpb.Partitioner_FORWARD))
		}, `job/main.go:11: operator "end": forward needs equal parallelisms, but "s" has 2 and this operator 4`},
		{Settings{Mode: planpb.RuntimeMode_BATCH}, func(b *builder) {
			src := b.source("socket")
			src.Unbounded = true
			b.sink("end", auto(src))
		}, `job/main.go:10: operator "socket": an unbounded source can not run in BATCH mode; use STREAMING or AUTOMATIC`},
		{s, func(b *builder) {
			elsewhere := &builder{t: b.t}
			b.sink("end", auto(elsewhere.source("s")))
		}, `job/main.go:10: operator "end": its input "s" was not added to this environment before it`},
		{s, func(b *builder) {
			src := b.source("s")
			for _, name := range []string{"one", "two"} {
				b.sink(name, auto(src)).Writes = []string{"/out"}
			}
		}, `job/main.go:12: operator "two": output /out is written by job/main.go:11: operator "one" too`},
	}
	for _, tt := range tests {
		b := &builder{t: t}
		tt.build(b)
		p, err := Compile(b.nodes, tt.s)
		if err == nil || err.Error() != tt.want || p != nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v\nexpected %s", err, tt.want)
		}
	}
}

// Flink's rule for the number of key groups.
func TestMaxParallelism(t *testing.T) {
	for parallelism, want := range map[int]int{1: 128, 85: 128, 86: 256, 100: 256, 171: 256, 200: 512, 21845: 32768, 32768: 32768} {
		if got := maxParallelismOf(parallelism); got != want {
			t.Errorf("parallelism %d: %d key groups, expected %d", parallelism, got, want)
		}
	}
}
