// Command streaming-wordcount is an example: running counts of the words of a text or of a socket's lines. Each word that
// comes in emits its new count.
//
//	nc -lk 9999 &
//	go run ./examples/streaming-wordcount -hostname localhost -port 9999
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/weft-project/weft/stream"
)

func main() {
	input := flag.String("input", "", "text file, directory or pattern to read")
	host := flag.String("hostname", "localhost", "server to read lines from when there is no -input")
	port := flag.Int("port", 0, "its port")
	output := flag.String("output", "", "where to write; without it counts are printed")
	flag.Parse()

	env := stream.New()
	var lines *stream.Stream[string]
	switch {
	case *input != "":
		lines = stream.ReadText(env, "read", *input)
	case *port != 0:
		lines = stream.ReadSocket(env, "socket", *host, *port)
	default:
		lines = stream.FromSlice(env, "built-in text", []string{"to be or not to be", "that is the question"})
	}
	counts := count(lines)
	if *output != "" {
		stream.WriteText(counts, "write", *output, func(c stream.Counted[string]) string { return fmt.Sprint(c.Key, " ", c.N) })
	} else {
		stream.Print(counts, "print")
	}
	if _, err := env.Execute(context.Background(), "Streaming WordCount"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// count emits the new count of each word that comes in.
func count(lines *stream.Stream[string]) *stream.Stream[stream.Counted[string]] {
	words := stream.FlatMap(lines, "split", func(line string, emit func(string)) {
		for _, w := range strings.FieldsFunc(strings.ToLower(line), func(r rune) bool { return !unicode.IsLetter(r) }) {
			emit(w)
		}
	})
	return stream.Count(stream.KeyBy(words, func(w string) string { return w }), "count")
}
