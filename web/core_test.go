package web

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/rest"
)

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(-1234567), "-1,234,567"},
		{bytesText(0), "0 B"}, {bytesText(1023), "1023 B"}, {bytesText(1024), "1 KiB"}, {bytesText(1536), "1.5 KiB"}, {bytesText(1023 * 1024), "1 MiB"}, {bytesText(150 << 20), "150 MiB"}, {bytesText(2 << 30), "2 GiB"}, {bytesText(1 << 60), "1024 PiB"},
		{durationText(-1), "–"}, {durationText(340), "340 ms"}, {durationText(12_345), "12.3 s"}, {durationText(59_999), "59.9 s"}, {durationText(61_000), "1 min 1 s"}, {durationText(7_380_000), "2 h 3 min"}, {durationText(446_400_000), "5 d 4 h"},
		{moment(0), "–"}, {moment(1_760_000_000_000), "2025-10-09 08:53:20"},
		{ago(time.UnixMilli(10_000), 9_900), "now"}, {ago(time.UnixMilli(10_000), 5_000), "5.0 s ago"}, {ago(time.UnixMilli(10_000), 0), "–"}, {ago(time.UnixMilli(10_000), 11_000), "now"},
		{shortTaskManager("container_e17_1760000000000_0007_01_000002"), "…_01_000002"}, {shortTaskManager("tm-1"), "tm-1"},
		{rootOf("/"), "./"}, {rootOf("/ui/config"), "../"}, {rootOf("/ui/jobs/x/vertices/y"), "../../../../"},
	} {
		if c.got != c.want {
			t.Errorf("%q, expected %q", c.got, c.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                  nil,
		"short":                             {"short"},
		"Source: text file -> flatMap":      {"Source: text", "file -> flatMap"},
		"aaaaaaaaaaaaaaaaaaaaaaaaaa":        {"aaaaaaaaaaaaaaa", "aaaaaaaaaaa"},
		"one two three four five six seven": {"one two three", "four five six…"},
	} {
		if got := wrap(text, 15, 2); !slices.Equal(got, want) {
			t.Errorf("%q: %q, expected %q", text, got, want)
		}
	}
}

func TestLayout(t *testing.T) {
	in := func(ids ...string) []rest.PlanInput {
		var list []rest.PlanInput
		for _, id := range ids {
			list = append(list, rest.PlanInput{ID: id, ShipStrategy: "HASH"})
		}
		return list
	}
	d := &rest.JobDetails{Plan: rest.Plan{Nodes: []rest.PlanNode{{ID: "sink", Inputs: in("join")}, {ID: "join", Inputs: in("a", "b")}, {ID: "b", Inputs: in("a")}, {ID: "a"}}}}
	g := layout(d)
	x := map[string]int{}
	for _, n := range g.Nodes {
		x[n.ID] = n.X
	}
	if len(g.Nodes) != 4 || len(g.Edges) != 4 || !(x["a"] < x["b"] && x["b"] < x["join"] && x["join"] < x["sink"]) {
		t.Errorf("nodes %v, edges %v", x, g.Edges)
	}
	for _, n := range g.Nodes {
		if n.X+nodeWidth > g.Width || n.Y+nodeHeight > g.Height {
			t.Errorf("node %+v outside %d×%d", n, g.Width, g.Height)
		}
	}
	d.Plan.Nodes[3].Inputs = in("sink")
	if g := layout(d); len(g.Nodes) != 0 {
		t.Error("a cycle was drawn")
	}
	if g := layout(&rest.JobDetails{}); len(g.Nodes) != 0 {
		t.Error("nothing was drawn as something")
	}
}

func TestBars(t *testing.T) {
	b := newBar("x", 4, []string{"a", "b", "c"}, []float64{1, 0, 9})
	if len(b.Parts) != 2 || b.Parts[0].Width != 25 || b.Parts[1].X != 25 || b.Parts[1].Width != 75 {
		t.Errorf("%+v", b)
	}
	if b := newBar("x", 0, []string{"a"}, []float64{1}); len(b.Parts) != 0 {
		t.Errorf("%+v", b)
	}
	if got := hostSummary([]rest.Subtask{{Host: "a"}, {Host: "b"}, {Host: "a"}, {Host: ""}, {Host: "c"}, {Host: "d"}, {Host: "e"}, {Host: "f"}}); got != "a ×2, b, c, d, 2 more" {
		t.Errorf("%s", got)
	}
	if got := countsBar(map[string]int{"RUNNING": 1, "FAILED": 1}, 2).Label; !strings.Contains(got, "1 running, 1 failed") {
		t.Errorf("%s", got)
	}
}

// What a vertex is coloured by, and how the page shows it.
func TestLoadOfVertices(t *testing.T) {
	for _, c := range []struct {
		load            *rest.Load
		pressure, label string
	}{
		{nil, "", ""},
		{&rest.Load{Idle: 1}, "idle", "0 % busy, 0 % held back, 100 % idle"},
		{&rest.Load{Busy: 0.9, Idle: 0.1}, "busy", "90 % busy, 0 % held back, 10 % idle"},
		{&rest.Load{Busy: 0.2, Held: 0.8}, "held", "20 % busy, 80 % held back, 0 % idle"},
		{&rest.Load{Busy: 0.6, Held: 0.6}, "held", "50 % busy, 50 % held back, 0 % idle"},
	} {
		n := newNode(rest.JobVertex{ID: "v", Name: "map", Load: c.load})
		if n.Pressure != c.pressure || n.Load.Label != c.label {
			t.Errorf("%+v: %s, %s", c.load, n.Pressure, n.Load.Label)
		}
	}
	// The last minute of what runs, all time of what has ended.
	m := rest.IOMetrics{BusyTime: 1, IdleTime: 3}
	if got := loadBar(nil, m).Label; got != "25 % busy, 0 % held back, 75 % idle" {
		t.Error(got)
	}
	if got := loadBar(&rest.Load{Busy: 1}, m).Label; got != "100 % busy, 0 % held back, 0 % idle" {
		t.Error(got)
	}
}
