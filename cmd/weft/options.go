package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/config"
)

// settings is what a command line says.
type settings struct {
	// values are configuration keys; they go to the command line's layer.
	values []setting
	// notes are said before the command does its work.
	notes []string

	help, detached, query, all, running, scheduled bool
	// application is -id; master is -m.
	application, master string
	// class is -c: the program of a package directory.
	class string
	ship  []string
	// logs are what the options of logs narrow down to; asJSON and asText are info's.
	logs           client.Logs
	inspect        stateQuestion
	asJSON, asText bool
	// dispose is savepoint -d.
	dispose bool
	// savepoint is the path of one, or the directory that it gets made in; withSavepoint that one was asked for; drain that event time ends.
	savepoint            string
	withSavepoint, drain bool
	// words are what is left: the job and its arguments, job ids, ….
	words []string
}

type setting struct{ key, value, source string }

// apply puts the settings into a configuration.
func (s *settings) apply(c *config.Config) {
	for _, v := range s.values {
		c.Set(config.CommandLine, v.key, v.value, v.source)
	}
}

func (s *settings) set(key, value, source string) {
	s.values = append(s.values, setting{key, value, source})
}

// dynamic gives the -D settings and all others that are configuration, for the properties file.
func (s *settings) dynamic() map[string]string {
	out := map[string]string{}
	for _, v := range s.values {
		out[v.key] = v.value
	}
	return out
}

// key makes an option that sets a configuration key to its value.
func key(names string, arg, configKey, doc string) option {
	n := strings.Split(names, ",")
	return option{names: n, arg: arg, doc: doc, apply: func(s *settings, v string) error {
		s.set(configKey, v, "-"+n[0])
		return nil
	}}
}

// memoryKey is key for a memory size whose bare number is mebibytes, as -jm 1024 always was.
func memoryKey(names string, arg, configKey, doc string) option {
	o := key(names, arg, configKey, doc)
	set := o.apply
	o.apply = func(s *settings, v string) error {
		if t := strings.TrimSpace(v); t != "" && strings.Trim(t, "0123456789") == "" {
			v = t + "m"
		}
		return set(s, v)
	}
	return o
}

// flag makes a switch.
func flag(names string, doc string, apply func(s *settings)) option {
	return option{names: strings.Split(names, ","), doc: doc, apply: func(s *settings, _ string) error {
		apply(s)
		return nil
	}}
}

// property makes -D or one of its twins.
func property(name string) option {
	return option{names: []string{name}, arg: "key=value", property: true,
		doc: "Set a key of the configuration; may be repeated, -" + name + "key=value too.",
		apply: func(s *settings, v string) error {
			k, value, ok := strings.Cut(v, "=")
			if k = strings.TrimSpace(k); k == "" {
				return fmt.Errorf("-%s %q: expected key=value", name, v)
			}
			if !ok {
				value = "true"
			}
			s.set(k, value, "-"+name)
			return nil
		}}
}

// obsolete makes an option that is still accepted and does nothing.
func obsolete(names, arg, note string) option {
	return option{names: strings.Split(names, ","), arg: arg, hidden: true, note: note, apply: func(*settings, string) error { return nil }}
}

// hide makes an option that is accepted and not shown.
func hide(o option) option {
	o.hidden = true
	return o
}

// refuse makes an option that ends with a sentence.
func refuse(names, arg, why string) option {
	n := strings.Split(names, ",")
	return option{names: n, arg: arg, hidden: true, apply: func(*settings, string) error {
		return fmt.Errorf("option -%s: %s", n[0], why)
	}}
}

func helpOption() option {
	return flag("h,help", "Show this help.", func(s *settings) { s.help = true })
}

func submitTimeout() option {
	o := key("submit-timeout", "duration", config.SubmitTimeout.Key, "Withdraw the submission when it does not run after this long, such as 2min.")
	set := o.apply
	o.apply = func(s *settings, v string) error {
		if _, err := config.ParseDuration(v); err != nil {
			d, goErr := time.ParseDuration(v)
			if goErr != nil {
				return fmt.Errorf("--submit-timeout: %w", err)
			}
			v = fmt.Sprintf("%d ms", d.Milliseconds())
		}
		return set(s, v)
	}
	return o
}

func masterOption(doc string) option {
	return option{names: []string{"m", "jobmanager", "master"}, arg: "host:port", doc: doc, apply: func(s *settings, v string) error {
		s.master = v
		return nil
	}}
}

func applicationOption(names string) option {
	return option{names: strings.Split(names, ","), arg: "applicationId", doc: "The running session on YARN.", apply: func(s *settings, v string) error {
		s.application = v
		return nil
	}}
}

func shipOption(names string) option {
	return option{names: strings.Split(names, ","), arg: "path", doc: "File or directory to lie in the working directory of every process; may be repeated.", apply: func(s *settings, v string) error {
		s.ship = append(s.ship, strings.Split(v, ",")...)
		return nil
	}}
}

// sessionOptions are those of yarn-session.
func sessionOptions() []option {
	return []option{
		memoryKey("jm,jobManagerMemory", "memory", config.JobManagerMemory.Key, "Memory of the JobManager's container (a bare number is MB)."),
		memoryKey("tm,taskManagerMemory", "memory", config.TaskManagerMemory.Key, "Memory of each TaskManager's container (a bare number is MB)."),
		key("s,slots", "n", config.Slots.Key, "Slots of each TaskManager."),
		key("nm,name", "name", config.ApplicationName.Key, "Name of the application on YARN."),
		key("qu,queue", "queue", config.ApplicationQueue.Key, "YARN queue."),
		property("D"),
		shipOption("t,ship"),
		key("z,zookeeperNamespace", "name", config.ClusterID.Key, "Name of the cluster among those that share one high-availability store."),
		key("at,applicationType", "type", config.ApplicationType.Key, "Type of the application on YARN."),
		key("nl,nodeLabel", "label", config.ApplicationNodeLabel.Key, "YARN node label."),
		applicationOption("id,applicationId"),
		flag("q,query", "Show the memory and vcores that YARN has, by node and by queue, and end.", func(s *settings) { s.query = true }),
		flag("d,detached", "Return when the session runs.", func(s *settings) { s.detached = true }),
		submitTimeout(),
		key("j,jar", "path", config.BlobExecutable.Key, "The weft binary that containers run, when it is not this one."),
		helpOption(),
		hide(flag("yd,yarndetached", "", func(s *settings) { s.detached = true })),
		hide(masterOption("")),
		obsolete("n,container", "n", "-n is accepted and ignored: TaskManagers are requested when jobs need slots and given back when idle"),
		obsolete("st,streaming", "", "-st is accepted and ignored: a session runs streaming and batch jobs"),
	}
}

// clusterOptions name the cluster that a command is for.
func clusterOptions() []option {
	return []option{
		masterOption("JobManager to talk to, instead of the session of the properties file; run: yarn-cluster for a cluster of the job's own."),
		applicationOption("yid,yarnapplicationId"),
		key("t,target", "target", config.Target.Key, "Where jobs run: yarn-session, as without it, yarn-per-job, yarn-application, remote (the JobManager at rest.address), or, of run, local (this machine)."),
		property("D"),
		key("z,zookeeperNamespace", "name", config.ClusterID.Key, "Name of the cluster among those that share one high-availability store."),
		helpOption(),
		hide(key("yz,yarnzookeeperNamespace", "name", config.ClusterID.Key, "")),
		hide(key("e,executor", "target", config.Target.Key, "")),
		hide(property("yD")),
	}
}

const (
	noPython = "Weft runs jobs written in Go; see docs/coming-from-flink.md"
)

// runOptions are those of run.
func runOptions() []option {
	own := []option{
		flag("d,detached", "Return when the job has been submitted.", detachedJob("-d")),
		key("p,parallelism", "n", config.DefaultParallelism.Key, "Parallelism of operators that have none of their own."),
		classOption(),
		flag("sae,shutdownOnAttachedExit", "Cancel the job when this command is ended by Ctrl-C.", func(s *settings) {
			s.set(config.ShutdownOnAttachedExit.Key, "true", "-sae")
		}),
		submitTimeout(),
	}
	own = append(own, restoreOptions()...)
	own = append(append(own, yarnOptions()...), oldRunOptions()...)
	return append(own, clusterOptions()...)
}

func detachedJob(option string) func(*settings) {
	return func(s *settings) { s.set(config.Attached.Key, "false", option) }
}

func classOption() option {
	return option{names: []string{"c", "class"}, arg: "name", doc: "JOB is a module's directory: run its program cmd/NAME.", apply: func(s *settings, v string) error {
		s.class = v
		return nil
	}}
}

// infoOptions are those of info.
func infoOptions() []option {
	return []option{
		classOption(),
		key("p,parallelism", "n", config.DefaultParallelism.Key, "Parallelism of operators that have none of their own."),
		flag("json", "The plan as JSON alone, for programs; without it JSON between the lines of flink info.", func(s *settings) { s.asJSON = true }),
		flag("text", "The plan as text, for people.", func(s *settings) { s.asText = true }),
		property("D"),
		helpOption(),
	}
}

// listOptions are those of list.
func listOptions() []option {
	return append([]option{
		flag("a,all", "All jobs, those that have ended too.", func(s *settings) { s.all = true }),
		flag("r,running", "Running and restarting jobs only.", func(s *settings) { s.running = true }),
		flag("s,scheduled", "Scheduled jobs only.", func(s *settings) { s.scheduled = true }),
	}, clusterOptions()...)
}

// cancelOptions are those of cancel.
func cancelOptions() []option {
	return append([]option{savepointDirectory("s,withSavepoint", "Take a savepoint first, in a directory made in this one. See stop.")}, clusterOptions()...)
}

// read parses a command's arguments.
func read(command string, options []option, args []string, stopAtWord bool) (*settings, error) {
	found, words, err := parse(options, args, stopAtWord)
	if err != nil {
		return nil, &usageError{command, err.Error()}
	}
	s := &settings{words: words}
	for _, f := range found {
		if f.option.note != "" {
			s.notes = append(s.notes, f.option.note)
		}
		if err := f.option.apply(s, f.value); err != nil {
			return nil, &usageError{command, err.Error()}
		}
	}
	return s, nil
}
