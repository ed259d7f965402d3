package main

import (
	"context"
	"fmt"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/id"
)

// Commands of Flink that there are not. Their command lines are read as Flink reads them, so that what is wrong with one is
// said; then that the rest is missing, and what there is instead.

func modifyOptions() []option {
	return append([]option{obsolete("p,parallelism", "n", "")}, clusterOptions()...)
}

// lacking says of each such command what it lacks; %s is the job.
var lacking = map[string]string{
	"modify": "a running job cannot be rescaled; end it with weft cancel %s and run it again with another -p",
}

// missing makes the command of a name in lacking.
func (p *process) missing(name string) func(context.Context, []string) error {
	return func(_ context.Context, args []string) error {
		s, err := read(name, helps[name].options(), args, false)
		if err != nil {
			return err
		}
		if s.help {
			printHelp(p.stdout, name)
			return nil
		}
		job := "JOBID"
		if len(s.words) > 0 {
			job = s.words[0]
			if _, err := id.ParseJob(job); err != nil {
				return &usageError{name, err.Error()}
			}
		}
		return &client.Failure{Code: client.ExitUsage, Err: fmt.Errorf(lacking[name], job)}
	}
}
