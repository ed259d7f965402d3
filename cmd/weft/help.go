package main

import (
	"fmt"
	"io"
	"strings"
)

// help is the text of one command.
type help struct {
	// usage follows the command's name.
	usage string
	// about is one line for the list of commands, text what --help says beyond it.
	about, text string
	options     func() []option
	examples    []string
}

var helps = map[string]help{
	"yarn-session": {
		usage: "[OPTIONS]", about: "start a session on YARN, or attach to a running one",
		text: "Starts a JobManager in a YARN application; TaskManagers are requested when jobs need slots and given back when\n" +
			"idle. Attached, commands are read from standard input (help, stop, quit) and Ctrl-C shuts the session down.",
		options: sessionOptions,
		examples: []string{
			"weft yarn-session -jm 1024 -tm 2048 -s 2 -nm counts -d",
			"weft yarn-session -id application_1700000000000_0001",
			"echo stop | weft yarn-session -id application_1700000000000_0001",
			"weft yarn-session -q",
		},
	},
	"run": {
		usage: "[OPTIONS] JOB [ARGUMENTS...]", about: "run a job in a session, or in a cluster of its own",
		text: "JOB is a job binary, or the directory of a Go package, which is then built for the cluster. Everything after JOB\n" +
			"belongs to the job and is not looked at. Without -d the job is followed to its end. With -m yarn-cluster, or -t yarn-per-job,\n" +
			"a cluster is started on YARN for this one job, which ends with it; the application's final status is the job's. With -t local\n" +
			"the job runs in its own process here; -D rest.port=8081 shows its page to you at http://localhost:8081.",
		options: runOptions,
		examples: []string{
			"weft run examples/wordcount -input hdfs:///texts -output hdfs:///counts",
			"weft run -p 4 -d ./my-job -since 2026-01-01",
			"weft run -c importer ./my-module",
			"weft run -m yarn-cluster -yjm 1024 -ytm 2048 -ys 2 -p 4 -ynm counts examples/wordcount -input /texts -output /counts",
			"weft run -t yarn-per-job -d ./my-job -since 2026-01-01",
			"weft run -t local -D rest.port=8081 ./my-job -since 2026-01-01",
			"weft run -yid application_1700000000000_0001 -D restart-strategy.type=none examples/wordcount -input /texts -output /counts",
		},
	},
	"run-application": {
		usage: "[OPTIONS] JOB [ARGUMENTS...]", about: "run a job's main in a cluster of its own",
		text: "Starts a cluster on YARN in whose JobManager's container the job's main runs; its jobs run one after the other, and the\n" +
			"cluster ends with main. JOB is a job binary, here or on HDFS (hdfs://...), or the directory of a Go package. Without -d\n" +
			"its jobs are followed to its end; with -d nothing on this machine is needed any more.",
		options: applicationModeOptions,
		examples: []string{
			"weft run-application -t yarn-application examples/wordcount -input hdfs:///texts -output hdfs:///counts",
			"weft run-application -t yarn-application -d -D jobmanager.memory.process.size=2g ./my-job -since 2026-01-01",
			"weft run-application -t yarn-application -D yarn.application.name=nightly hdfs:///jobs/nightly",
		},
	},
	"list": {
		usage: "[OPTIONS]", about: "list the jobs of a session",
		text:     "Without -a, -r or -s running and scheduled jobs are shown.",
		options:  listOptions,
		examples: []string{"weft list", "weft list -a", "weft list -m host:8081"},
	},
	"info": {
		usage: "[OPTIONS] JOB [ARGUMENTS...]", about: "show a job's plan, without running it",
		options: infoOptions,
		examples: []string{"weft info -p 2 examples/wordcount -input hdfs:///texts -output hdfs:///counts",
			"weft info --text ./my-job", "weft info --json ./my-job | jq .nodes"},
	},
	"logs": {
		usage: "[OPTIONS] [JOBID|APPLICATION]", about: "show the logs of a session's containers, or those of a job",
		text: "Logs of live containers come from their NodeManagers, those of an application that has ended from where YARN has stored\n" +
			"them. For a job: what its workers have written, the job's own output among it, also in containers that have ended; with\n" +
			"-yid, when its application has ended. Without an argument: all logs of the session.",
		options: logsOptions,
		examples: []string{"weft logs 0123456789abcdef0123456789abcdef", "weft logs --names application_1700000000000_0001",
			"weft logs --file jobmanager.log", "weft logs -yid application_1700000000000_0001 0123456789abcdef0123456789abcdef"},
	},
	"doctor": {
		usage: "[OPTIONS]", about: "check this machine and the cluster before the first job",
		text: "Looks at the configuration, names, ports, login, ResourceManager, NameNode, NodeManagers, clocks, versions, queue, nodes and\n" +
			"home directory as a session would that is started with the same options, and says in a line for each what it found:\n" +
			"ok, warning (jobs run all the same) or problem, with what to do about it. Nothing is changed: a small file is written to\n" +
			"the home directory in HDFS and removed again.",
		options:  doctorOptions,
		examples: []string{"weft doctor", "weft doctor -qu nightly -jm 2048 -tm 8192 -s 4", "weft doctor --json | jq '.checks[] | select(.status != \"ok\")'"},
	},
	"stop": {
		usage: "[OPTIONS] JOBID", about: "end a job with a savepoint",
		text: "Sources stop, a savepoint of all state is written, and the job ends as FINISHED; weft run -s starts it again from there.\n" +
			"Without -p the savepoint goes to execution.checkpointing.savepoint-dir.",
		options: stopOptions,
		examples: []string{"weft stop -p hdfs:///savepoints 0123456789abcdef0123456789abcdef",
			"weft stop --drain 0123456789abcdef0123456789abcdef"},
	},
	"savepoint": {
		usage: "[OPTIONS] JOBID [DIRECTORY]", about: "write a savepoint of a running job, or remove one", options: savepointOptions,
		examples: []string{"weft savepoint 0123456789abcdef0123456789abcdef hdfs:///savepoints",
			"weft savepoint -d hdfs:///savepoints/savepoint-012345-0123456789ab"},
	},
	"checkpoint": {usage: "[OPTIONS] JOBID", about: "take a checkpoint of a running job now", options: checkpointOptions},
	"modify":     {usage: "[OPTIONS] JOBID", about: "rescale a job (not in this release)", options: modifyOptions},
	"cancel": {
		usage: "[OPTIONS] JOBID", about: "cancel a running job",
		text:     "Returns when the job has ended.",
		options:  cancelOptions,
		examples: []string{"weft cancel 0123456789abcdef0123456789abcdef"},
	},
	"completion": {
		usage: "bash|zsh", about: "write the completion of commands and options for a shell",
		options:  func() []option { return []option{helpOption()} },
		examples: []string{"source <(weft completion bash)", "weft completion zsh > ~/.zfunc/_weft"},
	},
	"ha":    haHelp,
	"state": stateHelp,
	"init": {
		usage: "DIR", about: "write a job module to start from",
		text:     "DIR gets a go.mod that finds this distribution's SDK and a main.go that counts words; plain go build builds it.",
		options:  func() []option { return []option{helpOption()} },
		examples: []string{"weft init my-job && cd my-job && go run . -input main.go"},
	},
}

// exitCodes is the table that help shows.
const exitCodes = `Exit codes:
   0    done
   1    the job or the cluster failed
   2    the command line, the configuration or the job is wrong
   3    there is no session, or it does not answer
   130  ended by Ctrl-C
`

// printHelp writes a command's help.
func printHelp(w io.Writer, command string) {
	h := helps[command]
	fmt.Fprintf(w, "weft %s: %s\n\nUsage:\n   weft %s %s\n", command, h.about, command, h.usage)
	if h.text != "" {
		fmt.Fprintf(w, "\n%s\n", h.text)
	}
	fmt.Fprint(w, "\nOptions:\n")
	width := 0
	var left []string
	var shown []option
	for _, o := range h.options() {
		if o.hidden {
			continue
		}
		l := "-" + o.names[0]
		for _, n := range o.names[1:] {
			l += ", --" + n
		}
		if len(o.names[0]) > 1 && len(o.names) == 1 && !o.property {
			l = "--" + o.names[0]
		}
		if o.arg != "" {
			l += " <" + o.arg + ">"
		}
		left, shown, width = append(left, l), append(shown, o), max(width, len(l))
	}
	for i, o := range shown {
		fmt.Fprintf(w, "   %-*s   %s\n", width, left[i], o.doc)
	}
	if len(h.examples) > 0 {
		fmt.Fprintf(w, "\nExamples:\n   %s\n", strings.Join(h.examples, "\n   "))
	}
	if command != "init" {
		fmt.Fprintf(w, "\n%s", exitCodes)
	}
}
