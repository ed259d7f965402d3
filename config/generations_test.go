package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Configurations of several generations of Flink: what they say, with defaults left out.
var generations = []struct {
	file, as string
	want     map[string]string
	// old names are warned about; idle ones are listed in one sentence.
	old, idle []string
}{
	{
		file: "flink-1.6.yaml", as: LegacyFileName,
		want: map[string]string{
			"jobmanager.memory.process.size": "1024m", "taskmanager.memory.process.size": "4096m", "taskmanager.numberOfTaskSlots": "4",
			"parallelism.default": "8", "rest.port": "8081", "rest.bind-address": "0.0.0.0", "web.refresh-interval": "5000",
			"env.hadoop.conf.dir": "/etc/hadoop/conf", "fs.default-scheme": "hdfs://namenode:8020/", "high-availability.cluster-id": "/counts",
			"restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.attempts": "3", "yarn.application-attempts": "10",
			"yarn.heartbeat.interval": "7", "yarn.maximum-failed-containers": "100", "resourcemanager.taskmanager-timeout": "60000",
			"slot.request.timeout": "600000", "client.timeout": "90 s", "taskmanager.memory.task.off-heap.size": "512m",
			"my.own.setting": "http://host:80/", "yarn.application-master.env.TZ": "UTC",
		},
		old: []string{"akka.client.timeout", "fs.hdfs.hadoopconf", "high-availability.zookeeper.path.cluster-id", "jobmanager.heap.mb",
			"jobmanager.web.address", "jobmanager.web.port", "jobmanager.web.refresh-interval", "recovery.mode", "restart-strategy",
			"slotmanager.request-timeout", "slotmanager.taskmanager-timeout", "state.backend.fs.checkpointdir", "taskmanager.heap.size", "taskmanager.memory.off-heap.size",
			"taskmanager.network.memory.fraction", "yarn.heartbeat-delay"},
		idle: []string{"akka.ask.timeout", "env.java.opts", "high-availability.type", "taskmanager.memory.off-heap", "taskmanager.network.numberOfBuffers", "containerized.heap-cutoff-ratio"},
	},
	{
		file: "flink-1.10.yaml", as: LegacyFileName,
		want: map[string]string{
			// 1280 of Flink's own, 256 of metaspace, and 192 of overhead, which is more than a tenth: what Flink gets from 1728.
			"jobmanager.memory.process.size": "1024m", "taskmanager.memory.process.size": "1728m", "taskmanager.cpu.cores": "2.0",
			"rest.port": "8085", "rest.bind-port": "50100-50200", "yarn.ship-files": "/opt/models;/opt/rules", "yarn.appmaster.vcores": "2",
			"yarn.containers.vcores": "3", "taskmanager.registration.timeout": "3 min", "restart-strategy.type": "failure-rate",
			"flink.hadoop.dfs.replication": "2", "containerized.master.env.TZ": "UTC", "containerized.taskmanager.env.LANG": "C",
		},
		old:  []string{"jobmanager.heap.size", "restart-strategy", "state.checkpoints.dir", "web.port", "yarn.ship-directories"},
		idle: []string{"env.java.opts.taskmanager", "state.backend.incremental", "yarn.per-job-cluster.include-user-jar"},
	},
	{
		file: "flink-1.13.yaml", as: LegacyFileName,
		want: map[string]string{
			// Parts: 1024 + 1024 + 128 + 128, a ninth of that for the network, 128 of metaspace, and a ninth of all that on top.
			"jobmanager.memory.process.size": "1728m", "taskmanager.memory.process.size": "2987m", "taskmanager.memory.segment-size": "64 kb",
			"yarn.ship-files": "/opt/models", "yarn.application.queue": "streaming", "yarn.application.priority": "5",
			"execution.buffer-timeout.interval": "50 ms", "execution.runtime-mode": "batch", "restart-strategy.type": "exponential-delay",
			"restart-strategy.exponential-delay.initial-backoff": "10 s", "pipeline.object-reuse": "true", "pipeline.max-parallelism": "256",
		},
		old:  []string{"execution.buffer-timeout", "high-availability", "restart-strategy"},
		idle: []string{"classloader.resolve-order", "kubernetes.cluster-id", "yarn.provided.lib.dirs", "yarn.ship-archives"},
	},
	{
		file: "flink-1.16.yaml", as: LegacyFileName,
		want: map[string]string{
			"jobmanager.memory.process.size": "1600m", "taskmanager.memory.process.size": "2728m", "parallelism.default": "3",
			"pipeline.operator-chaining.enabled": "false", "heartbeat.interval": "2000", "heartbeat.timeout": "20000",
			"slot.request.timeout": "120000", "resourcemanager.taskmanager-timeout": "PT1M", "yarn.application.name": "counts",
			"yarn.tags": "a,b", "restart-strategy.type": "none",
		},
		old:  []string{"pipeline.operator-chaining", "restart-strategy"},
		idle: []string{"taskmanager.bind-host"},
	},
	{
		file: "flink-1.20.yaml", as: FileName,
		want: map[string]string{
			"jobmanager.memory.process.size": "2048m", "taskmanager.memory.process.size": "3 gb", "taskmanager.numberOfTaskSlots": "3",
			"parallelism.default": "6", "rest.bind-port": "50100-50200", "execution.buffer-timeout.interval": "20 ms",
			"restart-strategy.type": "exponential-delay", "restart-strategy.exponential-delay.attempts-before-reset-backoff": "5",
			"yarn.ship-files": "/opt/models;/opt/rules", "yarn.application.queue": "streaming", "yarn.application.node-label": "ssd",
			"yarn.view.acls": "alice ops", "containerized.master.env.TZ": "UTC", "containerized.taskmanager.env.LANG": "C.UTF-8",
			"flink.hadoop.dfs.replication": "2", "jobmanager.rpc.address": "localhost",
		},
		idle: []string{"env.java.opts.all", "pekko.ask.timeout", "state.backend.type"},
	},
}

func TestFlinkGenerations(t *testing.T) {
	for _, g := range generations {
		t.Run(g.file, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", g.file))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			write(t, filepath.Join(dir, g.as), string(data))
			c, err := Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Check(); err != nil {
				t.Error(err)
			}
			values := c.Map()
			for key, want := range g.want {
				if values[key] != want {
					t.Errorf("%s is %q, want %q", key, values[key], want)
				}
			}
			checkGenerationWarnings(t, c.Warnings(), g.old, g.idle)
			var b bytes.Buffer
			if err := c.Write(&b); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "travelled.yaml")
			write(t, path, b.String())
			again, err := LoadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := Get(again, TaskManagerMemory), Get(c, TaskManagerMemory); got != want {
				t.Errorf("a TaskManager of %s becomes one of %s on its way", want, got)
			}
		})
	}
}

// checkGenerationWarnings wants one warning for each old name, one for all idle keys, and nothing else.
func checkGenerationWarnings(t *testing.T, warnings, old, idle []string) {
	t.Helper()
	all := strings.Join(warnings, "\n")
	for _, k := range old {
		if n := strings.Count(all, "configuration key "+k+" ("); n != 1 {
			t.Errorf("%d warnings name the old key %s", n, k)
		}
	}
	want := len(old)
	if len(idle) > 0 {
		want++
		last := warnings[len(warnings)-1]
		for _, k := range idle {
			if !strings.Contains(last, " "+k) || !strings.HasPrefix(last, "these configuration keys of Flink do nothing") {
				t.Errorf("%s is not listed as idle: %s", k, last)
			}
		}
	}
	if len(warnings) != want {
		t.Errorf("%d warnings, want %d:\n%s", len(warnings), want, all)
	}
}

// Every old name that Flink has for a key that is served is served too.
func TestAliasesOfFlink(t *testing.T) {
	served := 0
	for line := range strings.Lines(flinkKeysText) {
		words := strings.Fields(line)
		d, a := find(words[0])
		if d == nil || a != nil {
			continue
		}
		served++
		for _, old := range words[1:] {
			if old = strings.TrimSuffix(old, "?"); !known(old) {
				t.Errorf("%s: Flink's other name %s is not known", d.Key, old)
			}
		}
	}
	if served < 60 {
		t.Errorf("only %d keys are Flink's: the list was not read", served)
	}
}

func TestContainerByParts(t *testing.T) {
	for _, x := range []struct {
		file, line map[string]string
		jm, tm     string
		from       string
	}{
		{jm: "1600m", tm: "1728m", from: "default"},
		// The figures that Flink prints for its shipped sizes, backwards.
		{file: map[string]string{"jobmanager.memory.flink.size": "1152m", "taskmanager.memory.flink.size": "1280m"}, jm: "1600m", tm: "1728m",
			from: "from taskmanager.memory.flink.size, the configuration file"},
		{file: map[string]string{"jobmanager.memory.heap.size": "1024m", "taskmanager.memory.task.heap.size": "384m", "taskmanager.memory.managed.size": "512m"},
			jm: "1600m", tm: "1728m", from: "from taskmanager.memory.task.heap.size, the configuration file"},
		// The container's own key wins, whatever the parts say.
		{file: map[string]string{"jobmanager.memory.flink.size": "4g", "jobmanager.memory.process.size": "2g", "taskmanager.memory.flink.size": "4g",
			"taskmanager.memory.process.size": "3g"}, jm: "2g", tm: "3g", from: "the configuration file"},
		// But not over the command line.
		{file: map[string]string{"jobmanager.heap.size": "1g", "taskmanager.memory.process.size": "3g"},
			line: map[string]string{"jobmanager.memory.flink.size": "1152m", "taskmanager.memory.flink.size": "1280m"}, jm: "1600m", tm: "1728m",
			from: "from taskmanager.memory.flink.size, the command line"},
		// Heap alone says nothing, as in Flink.
		{file: map[string]string{"taskmanager.memory.task.heap.size": "3g"}, jm: "1600m", tm: "1728m", from: "default"},
	} {
		c := FromMap(x.file)
		for k, v := range x.line {
			c.Set(CommandLine, k, v, "")
		}
		jm, _ := ParseMemory(x.jm)
		tm, _ := ParseMemory(x.tm)
		if got := Get(c, JobManagerMemory); got != jm {
			t.Errorf("%v %v: JobManager of %s, want %s", x.file, x.line, got, jm)
		}
		if got := Get(c, TaskManagerMemory); got != tm {
			t.Errorf("%v %v: TaskManager of %s, want %s", x.file, x.line, got, tm)
		}
		if got := c.Source(TaskManagerMemory.Key); got != x.from {
			t.Errorf("%v %v: source %q, want %q", x.file, x.line, got, x.from)
		}
		if got := Get(FromMap(c.Map()), TaskManagerMemory); got != tm {
			t.Errorf("%v %v: %s after its way to the container, want %s", x.file, x.line, got, tm)
		}
	}
}

func TestOldNamesAmongEachOther(t *testing.T) {
	c := FromMap(map[string]string{"taskmanager.heap.mb": "1024", "taskmanager.heap.size": "2g", "taskmanager.memory.size": "1g"})
	if got := Get(c, TaskManagerMemory); got != 2*GiB {
		t.Errorf("heap.size wins over heap.mb: %s", got)
	}
	want := []string{
		"configuration key taskmanager.heap.mb (old) is an old name, use taskmanager.memory.process.size; it is not used, since taskmanager.heap.size (the configuration file) is set too",
		"configuration key taskmanager.heap.size (old) is an old name, use taskmanager.memory.process.size",
		"configuration key taskmanager.memory.size (old) is an old name, use taskmanager.memory.managed.size",
	}
	if got := c.Warnings(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNearMisses(t *testing.T) {
	for key, want := range map[string]string{
		"taskmanager.number-of-task-slots":      "taskmanager.numberOfTaskSlots",
		"numberOfTaskSlots":                     "taskmanager.numberOfTaskSlots",
		"yarn.aplication.queue":                 "yarn.application.queue",
		"taskmanager.memory.proces.sizes":       "taskmanager.memory.process.size",
		"containerized.masters.env.TZ":          "containerized.master.env.TZ",
		"my.own.key":                            "",
		"state.backend.rocksdb.localdir":        "",
		"execution.checkpointing.interval":      "",
		"resourcemanager.taskmanager-timeoutts": "resourcemanager.taskmanager-timeout",
	} {
		got := ""
		for _, w := range FromMap(map[string]string{key: "1"}).Warnings() {
			if _, near, ok := strings.Cut(w, "did you mean "); ok {
				got = strings.TrimSuffix(near, "?")
			}
		}
		if got != want {
			t.Errorf("%s: suggested %q, want %q", key, got, want)
		}
	}
}
