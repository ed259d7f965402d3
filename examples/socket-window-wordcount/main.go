// Command socket-window-wordcount is an example: it counts the words of a socket's lines in windows of five seconds, as Flink's
// example of that name.
//
//	nc -lk 9999 &
//	go run ./examples/socket-window-wordcount -hostname localhost -port 9999
//	weft run examples/socket-window-wordcount -hostname host.of.nc -port 9999
//
// It prints lines "word : n": in this process, or into a worker's output on a cluster. The host is that of the machine on
// which the source runs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/weft-project/weft/stream"
)

// WordWithCount is a word and how often it came.
type WordWithCount struct {
	Word  string
	Count int64
}

// String is what is printed.
func (w WordWithCount) String() string { return fmt.Sprint(w.Word, " : ", w.Count) }

func main() {
	host := flag.String("hostname", "localhost", "server to read lines from")
	port := flag.Int("port", 0, "its port")
	flag.Parse()
	if *port == 0 {
		fmt.Fprintln(os.Stderr, "No port specified. Please run 'socket-window-wordcount -hostname HOST -port PORT', where the host is localhost by default, "+
			"and the port is that of a text server; 'nc -l 9999' starts a simple one.")
		os.Exit(2)
	}
	env := stream.New()
	stream.Print(windowed(stream.ReadSocket(env, "Source: Socket Stream", *host, *port)), "Print to Std. Out", stream.Parallelism(1))
	if _, err := env.Execute(context.Background(), "Socket Window WordCount"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// windowed counts the words of each five seconds by the clock.
func windowed(lines *stream.Stream[string]) *stream.Stream[WordWithCount] {
	words := stream.FlatMap(lines, "split", func(line string, emit func(WordWithCount)) {
		for _, w := range strings.Fields(line) {
			emit(WordWithCount{w, 1})
		}
	})
	byWord := stream.KeyBy(words, func(w WordWithCount) string { return w.Word })
	return stream.ReduceWindow(stream.Window(byWord, stream.Tumbling(5*time.Second).InProcessingTime()), "count",
		func(a, b WordWithCount) WordWithCount { return WordWithCount{a.Word, a.Count + b.Count} })
}
