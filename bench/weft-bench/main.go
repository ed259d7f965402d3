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
}

type options struct {
	*flag.FlagSet
	parallelism   int
	bufferTimeout int
	input, output string
	// Of generated events.
	events, keys, eventsPerMS, window, seed int64
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
	o := &options{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	o.IntVar(&o.parallelism, "parallelism", 0, "subtasks of each operator")
	o.IntVar(&o.bufferTimeout, "buffer-timeout", -1, "milliseconds a record waits in a buffer that is not full")
	o.StringVar(&o.input, "input", "", "text to read")
	o.StringVar(&o.output, "output", "", "where counts are written")
	o.Int64Var(&o.events, "events", 20_000_000, "events that are generated")
	o.Int64Var(&o.keys, "keys", 1_000_000, "different keys of events")
	o.Int64Var(&o.eventsPerMS, "events-per-ms", 1000, "events in a millisecond of event time")
	o.Int64Var(&o.window, "window", 10_000, "length of windows in milliseconds")
	o.Int64Var(&o.seed, "seed", 1, "of the generator")
	if err := o.Parse(args[1:]); err != nil {
		return err
	}
	env := stream.New()
	if o.parallelism > 0 {
		env.SetParallelism(o.parallelism)
	}
	if o.bufferTimeout >= 0 {
		env.SetBufferTimeout(time.Duration(o.bufferTimeout) * time.Millisecond)
	}
	if err := build(env, o); err != nil {
		return err
	}
	result, err := env.Execute(context.Background(), "weft-bench "+name)
	if err != nil {
		return err
	}
	return report(name, result)
}

func names() string {
	var s []string
	for n := range workloads {
		s = append(s, n)
	}
	return strings.Join(s, ", ")
}

// report prints the result line.
func report(name string, r *stream.Result) error {
	seconds := r.RunTime.Seconds()
	line := struct {
		Job     string  `json:"job"`
		Records int64   `json:"records"`
		Seconds float64 `json:"seconds"`
		PerS    float64 `json:"records_per_s"`
		Out     int64   `json:"out"`
		Check   int64   `json:"check"`
	}{name, r.Counter("records"), seconds, float64(r.Counter("records")) / max(seconds, 1e-3), r.Counter("out"), r.Counter("check")}
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
