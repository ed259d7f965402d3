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
	mode := flag.String("mode", "count", "what to do: count, slow, stream, gate, gate-out, panic, error, index, exit-plan, panic-plan, hang-plan, differ, captured, twice, twice-gate, eat, exit-task, shipped, none")
	input := flag.String("input", "", "text to count the words of")
	output := flag.String("output", "", "where the counts go")
	gate := flag.String("gate", "", "gate, gate-out: the file that must be there before a line with the word hold is passed on, or written; a file with .held at its end tells that it waits")
	pause := flag.Duration("pause", time.Millisecond, "slow, stream: pause for each line")
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
	if err := run(*mode, *input, *output, trouble{*mode, *pause, *gate}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// trouble is what one record gets.
type trouble struct {
	mode  string
	pause time.Duration
	gate  string
}

func run(mode, input, output string, t trouble) error {
	env := stream.New()
	if mode != "stream" { // which writes each count as it comes to be
		env.SetMode(stream.Batch)
	}
	suffix := ""
	switch mode {
	case "slow":
		// Records are on their way through all tasks while the job runs.
		env.Set("execution.batch-shuffle-mode", "ALL_EXCHANGES_PIPELINED")
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
	build(env, "words"+suffix, input, output, t)
	result, err := env.Execute(context.Background(), "test job "+mode)
	if err != nil {
		return err
	}
	fmt.Printf("first result after %d ms\n", result.RunTime.Milliseconds())
	fmt.Println("main runs in", os.Getenv("CONTAINER_ID"))
	if strings.HasPrefix(mode, "twice") {
		second := trouble{mode: "count"}
		if mode == "twice-gate" {
			second = trouble{mode: "gate", gate: t.gate}
		}
		again := stream.New()
		again.SetMode(stream.Batch)
		build(again, "words", input, output+"-again", second)
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

func build(env *stream.Env, name, input, output string, t trouble) {
	mode := t.mode
	lines := stream.ReadText(env, "read", input)
	words := stream.FlatMap(lines, name, func(line string, emit func(word)) {
		misbehave(t, line)
		if mode == "shipped" {
			line = shipped(line)
		}
		for _, w := range strings.FieldsFunc(line, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) {
			emit(word{strings.ToLower(w), 1})
		}
	})
	if mode == "slow" || mode == "stream" {
		// What is combined leaves the worker at the end only; these records are on their way while the job runs.
		words = stream.Map(stream.Rebalance(words), "carry", func(w word) word { return w })
	}
	counts := stream.Sum(stream.KeyBy(words, func(w word) string { return w.Text }), "count", func(w *word) *int64 { return &w.N })
	stream.AppendText(counts, "write", output, func(line []byte, w *word) []byte {
		if mode == "gate-out" {
			misbehave(trouble{"gate", 0, t.gate}, w.Text)
		}
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
func misbehave(t trouble, line string) {
	switch t.mode {
	case "slow", "stream":
		time.Sleep(t.pause)
	case "gate":
		for strings.Contains(line, "hold") {
			if err := os.WriteFile(t.gate+".held", nil, 0o644); err != nil {
				// What an author's function does when it can not go on.
				panic(err)
			}
			if _, err := os.Stat(t.gate); err == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
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
