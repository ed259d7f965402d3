// Command outside-world is an example: what a job takes from the outside world, and does to it, while its graph is built. Main
// runs more than once on a cluster; Captured and Once make that harmless.
//
//	weft run examples/outside-world -output hdfs:///reports
//
// writes a report into a folder that has the day's name.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/weft-project/weft/stream"
)

// report adds the job's operators: it writes the numbers of a report into the day's folder below output.
func report(env *stream.Env, output string, clock func() time.Time, announce func(path string) error) (string, error) {
	// The clock gives another day tomorrow, and each worker asks it again: the value is taken once, where the plan is made, and
	// travels with the graph.
	day, err := stream.Captured("day", func() (string, error) { return clock().UTC().Format(time.DateOnly), nil })
	if err != nil {
		return "", err
	}
	path := output + "/" + day
	// Announced once, where the plan is made, and not by each worker again.
	if err := stream.Once("announce", func() error { return announce(path) }); err != nil {
		return "", err
	}
	numbers := stream.Generate(env, "numbers", 10, func(i int64) string { return fmt.Sprint(day, " ", i) })
	stream.WriteText(numbers, "write", path, func(line string) string { return line }, stream.Parallelism(1))
	return path, nil
}

func main() {
	output := flag.String("output", "", "folder of the reports")
	flag.Parse()
	env := stream.New()
	env.SetMode(stream.Batch)
	path, err := report(env, *output, time.Now, func(path string) error {
		_, err := fmt.Println("writing", path)
		return err
	})
	if err == nil {
		_, err = env.Execute(context.Background(), "Report")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("written:", path) // after Execute: workers do not come here
}
