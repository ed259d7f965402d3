// Command side-outputs is an example: lines of an access log are parsed; those that are no such lines go to a side output. How
// many there were is an accumulator of the job, and how large the answers are a metric that can be watched while it runs.
//
//	go run ./examples/side-outputs -input access.log
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/weft-project/weft/stream"
)

// Access is a line of the log: who asked for what, and the answer.
type Access struct {
	Host, Path string
	Status     int
	Bytes      int64
}

// Bad is a line that is none.
type Bad struct {
	Line string
	Why  string
}

// parse gives the accesses, and the lines that are none.
func parse(lines *stream.Stream[string]) (*stream.Stream[Access], *stream.Stream[Bad]) {
	bad := stream.NewSide[Bad]("bad lines")
	parsed := stream.Process(lines, "parse", func(c *stream.ProcessContext, emit func(Access)) func(string) {
		// This runs once for each subtask.
		emitBad := bad.Emitter(c)
		count := c.Counter("bad lines")          // an accumulator: added up over all subtasks, in the job's result
		sizes := c.Metrics().Histogram("answer") // a metric: on the page, in REST and for Prometheus
		return func(line string) {
			var a Access
			if _, err := fmt.Sscan(line, &a.Host, &a.Path, &a.Status, &a.Bytes); err != nil {
				count.Add(1)
				emitBad(Bad{line, err.Error()})
				return
			}
			sizes.Update(a.Bytes)
			emit(a)
		}
	})
	return parsed, bad.From(parsed)
}

func main() {
	input := flag.String("input", "", "log to read: lines of host, path, status, bytes")
	flag.Parse()
	env := stream.New()
	var lines *stream.Stream[string]
	if *input != "" {
		lines = stream.ReadText(env, "read", *input)
	} else {
		lines = stream.FromSlice(env, "built-in log", []string{"ann / 200 512", "bob /cart 404 17", "what is this", "ann /news 200 2048"})
	}
	accesses, bad := parse(lines)
	stream.Print(accesses, "accesses")
	stream.ForEach(bad, "report", func(b Bad) { fmt.Fprintf(os.Stderr, "bad line %q: %s\n", b.Line, b.Why) })
	result, err := env.Execute(context.Background(), "Side outputs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if !result.Detached {
		fmt.Println(result.Counter("bad lines"), "bad lines")
	}
}
