// Command weft-bench is a driver: the benchmark job, one binary for all workloads of docs/benchmarks.md, written with the public SDK
// as any author would. The first argument is the workload; the last line on standard output is one JSON object.
//
//	weft-bench gentext --size 268435456 -o text.txt
//	weft-bench wordcount-batch --parallelism 2 --input text.txt --output counts
//	weft run bench/weft-bench wordcount-stream --input hdfs:///text.txt
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/weft-project/weft/bench/workload"
	"github.com/weft-project/weft/stream"
)

// workloads by name: each adds its operators to the environment.
var workloads = map[string]func(env *stream.Env, args *options) error{
	"wordcount-batch":  wordcountBatch,
	"wordcount-stream": wordcountStream,
	"keyed-window":     keyedWindow,
	"shuffle":          shuffle,
	"gather":           gather,
	"latency":          latency,
	"bigstate":         bigState,
	"nexmark":          nexmark,
}

type options struct {
	*flag.FlagSet
	parallelism   int
	bufferTimeout int
	input, output string
	backend       string
	checkpoints   int
	checkpointDir string
	// Of generated events; 0 stands for a workload's own number.
	events, keys, eventsPerMS, window, seed, size, rate, eventRate int64
	duration, warmUp                                               int64
	mode, query                                                    string
	text                                                           bool
	profile                                                        string
	// records is how many a workload reads that does not count them.
	records int64
}

// or is an option's value, or the workload's own where it was not given.
func or(v, own int64) int64 {
	if v == 0 {
		return own
	}
	return v
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: weft-bench WORKLOAD [options]; workloads: gentext, %s", names())
	}
	name := args[0]
	if name == "gentext" {
		return gentext(args[1:])
	}
	build, ok := workloads[name]
	if !ok {
		return fmt.Errorf("workload %q: expected gentext, %s", name, names())
	}
	o := newOptions(name)
	if err := o.Parse(args[1:]); err != nil {
		return err
	}
	if o.profile != "" {
		if err := startProfile(o.profile); err != nil {
			return err
		}
	}
	result, err := execute(context.Background(), o, build)
	if err != nil {
		return err
	}
	var l *latencies
	if name == "latency" && !result.Detached {
		l = latencyOf(result)
		fmt.Println(l)
	}
	return report(name, o.records, l, result)
}

// execute runs a workload.
func execute(ctx context.Context, o *options, build func(*stream.Env, *options) error) (*stream.Result, error) {
	env := stream.New()
	o.configure(env)
	if err := build(env, o); err != nil {
		return nil, err
	}
	return env.Execute(ctx, "weft-bench "+o.Name())
}

func newOptions(name string) *options {
	o := &options{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	o.IntVar(&o.parallelism, "parallelism", 0, "subtasks of each operator")
	o.IntVar(&o.bufferTimeout, "buffer-timeout", -1, "milliseconds a record waits in a buffer that is not full")
	o.StringVar(&o.backend, "backend", "", "where state lies: hashmap or rocksdb")
	o.IntVar(&o.checkpoints, "checkpoint-interval", 0, "milliseconds from one checkpoint to the next; 0 for none")
	o.StringVar(&o.checkpointDir, "checkpoint-dir", "", "where checkpoints are stored")
	o.StringVar(&o.input, "input", "", "text to read")
	o.StringVar(&o.output, "output", "", "where counts are written")
	o.Int64Var(&o.events, "events", 0, "events that are generated; 0 for as many as the workload has by itself")
	o.Int64Var(&o.keys, "keys", 0, "different keys of events")
	o.Int64Var(&o.eventsPerMS, "events-per-ms", 1000, "events in a millisecond of event time")
	o.Int64Var(&o.window, "window", 10_000, "length of windows in milliseconds")
	o.Int64Var(&o.seed, "seed", 1, "of the generator")
	o.Int64Var(&o.size, "size", 0, "bytes of a record or value")
	o.Int64Var(&o.rate, "rate", 0, "events a second of all subtasks; 0 for no limit")
	o.Int64Var(&o.eventRate, "event-rate", 100_000, "of nexmark: events in a second of event time")
	o.Int64Var(&o.duration, "duration", 60, "of latency: seconds")
	o.Int64Var(&o.warmUp, "warm-up", 10, "of latency: seconds at the beginning that do not count")
	o.StringVar(&o.mode, "mode", "rebalance", "of shuffle: rebalance, keyby or cross; of gather: sorted or summed")
	o.StringVar(&o.query, "query", "gen", "of nexmark: gen, q0 to q5, q7, q8, q11, q12")
	o.BoolVar(&o.text, "bytes", false, "of nexmark gen: the checksum covers every byte of every string")
	o.StringVar(&o.profile, "cpuprofile", "", "each process writes a profile of its first seconds to this name, a point, and its number")
	return o
}

// profiled is how long a process is profiled: a worker does not know its end before it comes.
const profiled = 2 * time.Second

// startProfile profiles this process.
func startProfile(name string) error {
	f, err := os.Create(fmt.Sprint(name, ".", os.Getpid()))
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	time.AfterFunc(profiled, func() {
		pprof.StopCPUProfile()
		_ = f.Close() // what is missing shows when it is read
	})
	return nil
}

// configure sets what workloads have in common.
func (o *options) configure(env *stream.Env) {
	if o.parallelism > 0 {
		env.SetParallelism(o.parallelism)
	}
	if o.bufferTimeout >= 0 {
		env.SetBufferTimeout(time.Duration(o.bufferTimeout) * time.Millisecond)
	}
	for key, value := range map[string]string{"state.backend.type": o.backend, "execution.checkpointing.dir": o.checkpointDir} {
		if value != "" {
			env.Set(key, value)
		}
	}
	if o.checkpoints > 0 {
		env.Set("execution.checkpointing.interval", fmt.Sprint(o.checkpoints, " ms"))
	}
}

// tally counts results and adds up their checksum.
type tally struct{ out, check *stream.Counter }

func newTally(c *stream.Context) tally { return tally{c.Counter("out"), c.Counter("check")} }

func (t tally) add(check int64) {
	t.out.Add(1)
	t.check.Add(check)
}

func names() string {
	var s []string
	for n := range workloads {
		s = append(s, n)
	}
	return strings.Join(s, ", ")
}

// report prints the result line.
func report(name string, records int64, l *latencies, r *stream.Result) error {
	seconds := r.RunTime.Seconds()
	if n := r.Counter("records"); n > 0 {
		records = n
	}
	line := struct {
		Job     string  `json:"job"`
		Records int64   `json:"records"`
		Seconds float64 `json:"seconds"`
		PerS    float64 `json:"records_per_s"`
		Out     int64   `json:"out"`
		Check   int64   `json:"check"`
		// Latency is what latency has measured.
		Latency *latencies `json:"latency,omitempty"`
	}{name, records, seconds, float64(records) / max(seconds, 1e-3), r.Counter("out"), r.Counter("check"), l}
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	fmt.Println(string(b))
	return nil
}

func gentext(args []string) error {
	fs := flag.NewFlagSet("gentext", flag.ContinueOnError)
	size := fs.Int64("size", 268435456, "bytes that the text does not pass")
	out := fs.String("o", "", "file to write; standard output without it")
	if err := fs.Parse(args); err != nil {
		return err
	}
	f := os.Stdout
	if *out != "" {
		var err error
		if f, err = os.Create(*out); err != nil {
			return err
		}
	}
	words, err := workload.WriteText(f, *size)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d words\n", words)
	return f.Close()
}
