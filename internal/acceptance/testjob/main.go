// Command testjob is a driver: a job for tests that behaves, or misbehaves, as -mode says.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/weft-project/weft/stream"
)

func main() {
	mode := flag.String("mode", "count", "what to do: count, slow, panic, error, index, exit-plan, panic-plan, hang-plan, differ, captured, twice, eat, exit-task, shipped, none")
	input := flag.String("input", "", "text to count the words of")
	output := flag.String("output", "", "where the counts go")
	pause := flag.Duration("pause", time.Millisecond, "slow: pause for each line")
	flag.Parse()

	switch *mode {
	case "exit-plan":
		fmt.Println("no licence found")
		os.Exit(4)
	case "panic-plan":
		// What an author might do.
		panic("the plan went wrong")
	case "hang-plan":
		fmt.Println("waiting for the database")
		time.Sleep(24 * time.Hour)
	case "none":
		fmt.Println("nothing to do today")
		return
	}
	if err := run(*mode, *input, *output, *pause); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(mode, input, output string, pause time.Duration) error {
	env := stream.New()
	env.SetMode(stream.Batch)
	suffix := ""
	switch mode {
	case "differ":
		// A main that looks at the clock builds another graph in each process.
		suffix = strconv.FormatInt(time.Now().UnixNano(), 10)
	case "captured":
		now, err := stream.Captured("now", func() (string, error) { return strconv.FormatInt(time.Now().UnixNano(), 10), nil })
		if err != nil {
			return err
		}
		suffix = now
	}
	build(env, "words"+suffix, mode, input, output, pause)
	result, err := env.Execute(context.Background(), "test job "+mode)
	if err != nil {
		return err
	}
	fmt.Printf("first result after %d ms\n", result.RunTime.Milliseconds())
	fmt.Println("main runs in", os.Getenv("CONTAINER_ID"))
	if mode == "twice" {
		again := stream.New()
		again.SetMode(stream.Batch)
		build(again, "words", "count", input, output+"-again", pause)
		if _, err := again.Execute(context.Background(), "test job again"); err != nil {
			return err
		}
		fmt.Println("second result is there too")
	}
	return nil
}

type word struct {
	Text string
	N    int64
}

func build(env *stream.Env, name, mode, input, output string, pause time.Duration) {
	lines := stream.ReadText(env, "read", input)
	words := stream.FlatMap(lines, name, func(line string, emit func(word)) {
		misbehave(mode, line, pause)
		if mode == "shipped" {
			line = shipped(line)
		}
		for _, w := range strings.FieldsFunc(line, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) {
			emit(word{strings.ToLower(w), 1})
		}
	})
	if mode == "slow" {
		// What is combined leaves the worker at the end only; these records are on their way while the job runs.
		words = stream.Map(stream.Rebalance(words), "carry", func(w word) word { return w })
	}
	counts := stream.Sum(stream.KeyBy(words, func(w word) string { return w.Text }), "count", func(w *word) *int64 { return &w.N })
	stream.AppendText(counts, "write", output, func(line []byte, w *word) []byte {
		return strconv.AppendInt(append(append(line, w.Text...), ' '), w.N, 10)
	})
}

// shipped reads a file of the worker's working directory.
func shipped(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		// What an author's function does when it can not go on.
		panic(err)
	}
	return string(b)
}

// hoard keeps what "eat" takes.
var hoard [][]byte

// misbehave does to one record what the mode says.
func misbehave(mode, line string, pause time.Duration) {
	switch mode {
	case "slow":
		time.Sleep(pause)
	case "panic":
		if strings.Contains(line, "lazy") {
			// What an author might do.
			panic("cannot digest " + line)
		}
	case "error":
		// What an author might do.
		panic(errors.New("bad line " + line))
	case "index":
		_ = line[len(line)]
	case "exit-task":
		os.Exit(5)
	case "eat":
		b := make([]byte, 8<<20)
		for i := range b {
			b[i] = byte(i)
		}
		hoard = append(hoard, b)
		time.Sleep(5 * time.Millisecond)
	}
}
