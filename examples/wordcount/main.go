// Command wordcount is an example: it counts the words of a text and writes one line "word n" for each.
//
//	go run ./examples/wordcount -input in.txt -output counts.txt     in this process
//	weft run examples/wordcount -input hdfs:///in -output hdfs:///out    on a cluster
//
// Without -input it counts the words of a built-in text, without -output it prints. With -container it says where main runs:
// in application mode that is the container of the JobManager.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/weft-project/weft/stream"
)

var hamlet = []string{
	"To be, or not to be,--that is the question:--",
	"Whether 'tis nobler in the mind to suffer",
	"The slings and arrows of outrageous fortune",
	"Or to take arms against a sea of troubles,",
	"And by opposing end them?--To die,--to sleep,--",
	"No more; and by a sleep to say we end",
	"The heartache, and the thousand natural shocks",
	"That flesh is heir to,--'tis a consummation",
	"Devoutly to be wish'd. To die,--to sleep;--",
}

// wordCount is a word and how often it was seen.
type wordCount struct {
	Word string
	N    int64
}

func main() {
	input := flag.String("input", "", "text file, directory or pattern to read; .gz is unpacked")
	output := flag.String("output", "", "file to write, or directory when the sink runs in parallel")
	container := flag.Bool("container", false, "print the YARN container that main runs in")
	flag.Parse()

	if *container {
		// Once, since workers run main too: they have containers of their own.
		err := stream.Once("container", func() error {
			_, err := fmt.Println("main runs in", cmp.Or(os.Getenv("CONTAINER_ID"), "no container"))
			return err
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	env := stream.New()
	env.SetMode(stream.Batch)

	var lines *stream.Stream[string]
	if *input != "" {
		lines = stream.ReadText(env, "read", *input)
	} else {
		lines = stream.FromSlice(env, "built-in text", hamlet)
	}
	counts := count(lines)
	if *output != "" {
		stream.AppendText(counts, "write", *output, func(line []byte, w *wordCount) []byte {
			line = append(append(line, w.Word...), ' ')
			return strconv.AppendInt(line, w.N, 10)
		})
	} else {
		stream.Print(counts, "print")
	}

	result, err := env.Execute(context.Background(), "WordCount")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if *output != "" && !result.Detached {
		fmt.Fprintf(os.Stderr, "counted in %s, see %s\n", result.RunTime, *output)
	}
}

// count counts the words of lines.
func count(lines *stream.Stream[string]) *stream.Stream[wordCount] {
	words := stream.FlatMap(lines, "tokenize", tokenize)
	return stream.Sum(stream.KeyBy(words, func(w wordCount) string { return w.Word }), "count", func(w *wordCount) *int64 { return &w.N })
}

// tokenize emits each run of letters, in lower case.
func tokenize(line string, emit func(wordCount)) {
	start, upper := -1, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case 'a' <= c && c <= 'z':
			if start < 0 {
				start = i
			}
			continue
		case 'A' <= c && c <= 'Z':
			if start < 0 {
				start = i
			}
			upper = true
			continue
		}
		if start >= 0 {
			emit(wordCount{lower(line[start:i], upper), 1})
			start, upper = -1, false
		}
	}
	if start >= 0 {
		emit(wordCount{lower(line[start:], upper), 1})
	}
}

func lower(word string, upper bool) string {
	if upper {
		return strings.ToLower(word)
	}
	return word
}
