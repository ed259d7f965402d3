package main

import (
	"slices"
	"strings"

	"github.com/weft-project/weft/config"
)

// yarnOptions are the options of run that describe a cluster on YARN: those of yarn-session with a y before them, as Flink has
// them, and what older releases had.
func yarnOptions() []option {
	all := []option{
		memoryKey("yjm,yarnjobManagerMemory", "memory", config.JobManagerMemory.Key, "Memory of the JobManager's container (a bare number is MB)."),
		memoryKey("ytm,yarntaskManagerMemory", "memory", config.TaskManagerMemory.Key, "Memory of each TaskManager's container (a bare number is MB)."),
		key("ys,yarnslots", "n", config.Slots.Key, "Slots of each TaskManager."),
		key("ynm,yarnname", "name", config.ApplicationName.Key, "Name of the application on YARN."),
		key("yqu,yarnqueue", "queue", config.ApplicationQueue.Key, "YARN queue."),
		key("yat,yarnapplicationType", "type", config.ApplicationType.Key, "Type of the application on YARN."),
		key("ynl,yarnnodeLabel", "label", config.ApplicationNodeLabel.Key, "YARN node label."),
		shipOption("yt,yarnship"),
		key("yj,yarnjar", "path", config.BlobExecutable.Key, "The weft binary that containers run, when it is not this one."),
		hide(flag("yd,yarndetached", "", detachedJob("-yd"))),
		flag("yq,yarnquery", "Show the memory and vcores that YARN has, by node and by queue, and end.", func(s *settings) { s.query = true }),
		hide(flag("yh,yarnhelp", "", func(s *settings) { s.help = true })),
		obsolete("yn,yarncontainer", "n", "-yn is accepted and ignored: TaskManagers are requested when jobs need slots and given back when idle"),
		obsolete("yst,yarnstreaming", "", "-yst is accepted and ignored: a cluster runs streaming and batch jobs"),
	}
	return all
}

// noteForSession says which options of a cluster come too late, for a job that goes to a cluster that runs already.
func (s *settings) noteForSession(say func(format string, args ...any)) {
	var late []string
	if len(s.ship) > 0 {
		late = append(late, "-yt")
	}
	for _, o := range yarnOptions() {
		source := "-" + o.names[0]
		for _, v := range s.values {
			if v.source == source && v.key != config.Attached.Key && !slices.Contains(late, source) {
				late = append(late, source)
			}
		}
	}
	if len(late) > 0 {
		say("Note: %s: without effect, since the job goes to a cluster that is there already", strings.Join(late, ", "))
	}
}

// oldRunOptions are those that earlier releases of Flink had, and those that mean a JVM or Python.
func oldRunOptions() []option {
	refused := []option{
		refuse("a,arguments", "words", "the job's arguments stand behind JOB, as they are"),
		refuse("C,classpath", "url", "a Go job is one binary; what it needs beside itself is shipped with -t when the session is started"),
		obsolete("q,sysoutLogging", "", "-q is accepted and ignored: the client logs nothing unless WEFT_DEBUG is set"),
		obsolete("v,verbose", "", "-v is accepted and ignored: WEFT_DEBUG=1 shows more"),
	}
	for _, names := range []string{"py,python", "pym,pyModule", "pyfs,pyFiles", "pyarch,pyArchives", "pyexec,pyExecutable",
		"pyclientexec,pyClientExecutable", "pyreq,pyRequirements", "pypath,pyPythonPath"} {
		refused = append(refused, refuse(names, "value", noPython))
	}
	return refused
}
