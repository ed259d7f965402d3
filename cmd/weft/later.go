package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/id"
)

// Commands of Flink that need checkpoints. Their command lines are read as Flink reads them, so that what is wrong with one is
// said; then that the rest is missing, and what there is instead.

func savepointForm() []option {
	return []option{
		obsolete("type", "format", ""), obsolete("detached", "", ""),
	}
}

func stopOptions() []option {
	own := append(savepointForm(), obsolete("d,drain", "", ""), obsolete("p,savepointPath", "path", ""))
	return append(own, clusterOptions()...)
}

func savepointOptions() []option {
	own := append(savepointForm(), option{names: []string{"d", "dispose"}, arg: "path", hidden: true, apply: func(s *settings, _ string) error {
		s.dispose = true
		return nil
	}}, obsolete("j,jarfile", "file", ""))
	return append(own, clusterOptions()...)
}

func checkpointOptions() []option {
	return append([]option{obsolete("full", "", "")}, clusterOptions()...)
}

func modifyOptions() []option {
	return append([]option{obsolete("p,parallelism", "n", "")}, clusterOptions()...)
}

// lacking says of each such command what it lacks; %s is the job.
var lacking = map[string]string{
	"stop": "stop ends a job with a savepoint, and this release of Weft has no savepoints yet; the job was not touched. " +
		"weft cancel %s ends it without one",
	"savepoint":  "this release of Weft has no savepoints yet; the job %s goes on as it was, and starts from its beginning when it is run again",
	"checkpoint": "this release of Weft has no checkpoints yet; the job %s goes on as it was, and starts from its beginning when it fails",
	"modify":     "a running job cannot be rescaled; end it with weft cancel %s and run it again with another -p",
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
		if s.dispose {
			return &client.Failure{Code: client.ExitUsage, Err: errors.New(noSavepoints + "; there is nothing to dispose of")}
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
