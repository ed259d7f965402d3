package main

import "fmt"

// workload is one line, or some lines, of the table.
type workload struct {
	name string
	args []string
	// out and check are its results; an out of 0 stands for none that could be known.
	out, check int64
	// byHand are the arguments of the program without an engine.
	byHand []string
	lines  []line
}

// line is a measure of a workload, and what it is to reach.
type line struct {
	what, unit string
	// of computes it from a workload's figures and those of the Nexmark generator in the same round.
	of    func(f, gen figures) float64
	flink string
	goal  float64
	// atMost: lower is better.
	atMost  bool
	limited bool
}

func millions(f, _ figures) float64 { return f.Rate / 1e6 }
func beyond(f, gen figures) float64 { return f.CPU - gen.CPU }
func ratio(f, gen figures) float64  { return f.CPU / gen.CPU }

// generator is the workload that the others of Nexmark are compared with.
const generator = "nexmark-gen"

// workloads in the order in which they are run and shown.
func workloads() []*workload {
	list := []*workload{
		{name: "wordcount-stream", args: []string{"wordcount-stream", "--input", "file://TEXT"}, out: 57158231, check: 18382165919420,
			lines: []line{{what: "wordcount-stream, 256 MiB", unit: "M words/s", of: millions, flink: "2.8", goal: 12}}},
		{name: "wordcount-batch", args: []string{"wordcount-batch", "--input", "file://TEXT", "--output", "file://OUT"}, out: 100_000, check: -6131205705604962304,
			byHand: []string{"wordcount-batch", "--input", "TEXT", "--output", "OUT"},
			lines:  []line{{what: "wordcount-batch, 256 MiB", unit: "M words/s", of: millions, flink: "1.26; SQL 5.5", goal: 15, limited: true}}},
		{name: "keyed-window", args: []string{"keyed-window"}, out: 1999912, check: -5701085318772237027, byHand: []string{"keyed-window"},
			lines: []line{{what: "keyed-window, 20 M events, no checkpoints", unit: "M events/s", of: millions, flink: "0.78 in 4 GiB", goal: 4, limited: true}}},
		{name: "shuffle-keyby", args: []string{"shuffle", "--mode", "keyby"}, out: 50_000_000, check: 1249999975000000,
			lines: []line{{what: "shuffle keyby, 100-byte records", unit: "M records/s", of: millions, flink: "9.8", goal: 15}}},
		{name: "shuffle-cross", args: []string{"shuffle", "--mode", "cross", "--events", "20000000"}, out: 20_000_000, check: 199999990000000, byHand: []string{"cross"},
			lines: []line{{what: "shuffle cross, 100-byte records", unit: "M records/s", of: millions, flink: "6.6", goal: 12, limited: true}}},
		latencyOf("latency", "5 ms", nil, "34 (100 ms)", "166 (100 ms)", "14.0 (100 ms)", 8, 15, 14),
		latencyOf("latency-1", "1 ms", []string{"--buffer-timeout", "1"}, "2.7", "31", "23.3", 2, 5, 23.3),
		latencyOf("latency-0", "0", []string{"--buffer-timeout", "0"}, "0.68", "8.6", "38.8", 0.5, 3, 38.8),
		query("gen", 10_000_000, -407306011118117785, line{what: "Nexmark gen", unit: "M events/s", of: millions, flink: "2.4", goal: 4.8}),
	}
	for _, q := range []struct {
		name       string
		out, check int64
		goal       float64
	}{
		{"q0", 9200000, -1482210397754191917, 1.15}, {"q1", 9200000, -1611673685291809419, 1.15},
		{"q2", 74430, -8228725784560122056, 1.15}, {"q3", 61272, -6884579883744189560, 1.25},
	} {
		list = append(list, query(q.name, q.out, q.check, line{what: "Nexmark " + q.name + ", CPU against gen", unit: "times", of: ratio, flink: "", goal: q.goal, atMost: true}))
	}
	for _, q := range []struct {
		name       string
		out, check int64
		flink      float64
	}{
		{"q4", 576473, -2826798876137172918, 10.9}, {"q5", 57, 4339650290136091285, 14.7}, {"q7", 10, -2178639026663040592, 3.6},
		{"q8", 104456, 5231860076859897345, 1.6}, {"q11", 199926, -6858994464243378569, 9.5},
	} {
		list = append(list, query(q.name, q.out, q.check, line{what: "Nexmark " + q.name + ", CPU beyond gen", unit: "s", of: beyond,
			flink: fmt.Sprint(q.flink), goal: q.flink / 3, atMost: true}))
	}
	return list
}

func query(name string, out, check int64, l line) *workload {
	return &workload{name: "nexmark-" + name, args: []string{"nexmark", "--query", name}, out: out, check: check, lines: []line{l}}
}

// Latency is measured for a while only, so that all measures end soon; Flink's CPU seconds are those of a minute.
const (
	latencySeconds = 13
	latencyWarmUp  = 3
)

func latencyOf(name, timeout string, args []string, p99, p999, cpu string, goal99, goal999, goalCPU float64) *workload {
	what := "latency, 100 k events/s, buffer timeout " + timeout
	return &workload{name: name, args: append([]string{"latency", "--duration", fmt.Sprint(latencySeconds), "--warm-up", fmt.Sprint(latencyWarmUp)}, args...), lines: []line{
		{what: what + ": p99", unit: "ms", of: func(f, _ figures) float64 { return f.P99 }, flink: p99, goal: goal99, atMost: true},
		{what: "p99.9", unit: "ms", of: func(f, _ figures) float64 { return f.P999 }, flink: p999, goal: goal999, atMost: true},
		{what: "CPU of a minute", unit: "s", of: func(f, _ figures) float64 { return f.CPU * 60 / latencySeconds }, flink: cpu, goal: goalCPU, atMost: true},
	}}
}
