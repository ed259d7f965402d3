package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/security/identity"
)

// doctorOptions are those of the session that would be started.
func doctorOptions() []option {
	return []option{
		flag("json", "One JSON document in the place of lines, for programs.", func(s *settings) { s.asJSON = true }),
		memoryKey("jm,jobManagerMemory", "memory", config.JobManagerMemory.Key, "Memory of the JobManager's container (a bare number is MB)."),
		memoryKey("tm,taskManagerMemory", "memory", config.TaskManagerMemory.Key, "Memory of each TaskManager's container (a bare number is MB)."),
		key("s,slots", "n", config.Slots.Key, "Slots of each TaskManager."),
		key("qu,queue", "queue", config.ApplicationQueue.Key, "YARN queue."),
		property("D"),
		helpOption(),
	}
}

// doctor is weft doctor.
func (p *process) doctor(ctx context.Context, args []string) error {
	s, err := read("doctor", doctorOptions(), args, false)
	if err != nil {
		return err
	}
	if s.help {
		printHelp(p.stdout, "doctor")
		return nil
	}
	if len(s.words) > 0 {
		return &usageError{"doctor", fmt.Sprintf("unexpected argument %q", s.words[0])}
	}
	c, err := p.client(s, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Doctor(ctx, client.Doctor{JSON: s.asJSON, OpenFiles: doctorFiles})
}

// doctorFiles makes file systems that say at once when their NameNode is away.
func doctorFiles(conf *hadoopconf.Conf, who *identity.Identity, log *slog.Logger) (*fs.Registry, error) {
	return filesOf(conf, who, hdfs.Options{Log: log, RetryMaxWait: time.Second}), nil
}
