package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/weft-project/weft/client"
	"github.com/weft-project/weft/config"
)

// Commands about savepoints and checkpoints of running jobs.

// restoreOptions say what a job starts from.
func restoreOptions() []option {
	ignore := flag("n,allowNonRestoredState", "With -s: leave out state that no operator of the job wants.", func(s *settings) {
		s.set(config.RestoreIgnoreUnclaimed.Key, "true", "-n")
	})
	return []option{
		key("s,fromSavepoint", "path", config.RestorePath.Key, "Start from the state in this savepoint or retained checkpoint."),
		ignore,
		key("cm,claimMode", "mode", config.RestoreClaimMode.Key, "With -s: NO_CLAIM, or CLAIM: the job owns it and deletes it in time."),
		hide(key("rm,restoreMode", "mode", config.RestoreClaimMode.Key, "")),
	}
}

func savepointForm() []option {
	return []option{obsolete("type", "format", "savepoints are canonical, whatever -type says"), obsolete("detached", "", "")}
}

func stopOptions() []option {
	own := append([]option{
		flag("d,drain", "End event time first, so that all windows fire and nothing is left.", func(s *settings) { s.drain = true }),
		savepointDirectory("p,savepointPath", "Directory that the savepoint's gets made in."),
	}, savepointForm()...)
	return append(own, clusterOptions()...)
}

func savepointDirectory(names, doc string) option {
	return option{names: strings.Split(names, ","), arg: "dir", doc: doc, apply: func(s *settings, v string) error {
		s.savepoint, s.withSavepoint = v, true
		return nil
	}}
}

func savepointOptions() []option {
	own := append([]option{{names: []string{"d", "dispose"}, arg: "path", doc: "Remove this savepoint instead.", apply: func(s *settings, v string) error {
		s.savepoint, s.dispose = v, true
		return nil
	}}}, savepointForm()...)
	return append(append(own, obsolete("j,jarfile", "file", "")), clusterOptions()...)
}

func checkpointOptions() []option {
	return append([]option{obsolete("full", "", "")}, clusterOptions()...)
}

// onJob runs a command about a job of a session; words are the least and the most that stand behind the options.
func (p *process) onJob(ctx context.Context, name string, args []string, least, most int, f func(s *settings, session *client.Session) error) error {
	s, c, done, err := p.start(name, args, false)
	if err != nil || done {
		return err
	}
	defer c.Close()
	if n := len(s.words); n < least || n > most {
		if s.dispose {
			return &usageError{name, fmt.Sprintf("unexpected argument %q beside -d", s.words[0])}
		}
		return &usageError{name, "expected one job id, as weft list shows it"}
	}
	if err := checkTarget(name, c.Config); err != nil {
		return err
	}
	session, err := c.FindSession(ctx, s.which())
	if err != nil {
		return err
	}
	return f(s, session)
}

func (p *process) stopJob(ctx context.Context, args []string) error {
	return p.onJob(ctx, "stop", args, 1, 1, func(s *settings, session *client.Session) error {
		return session.StopJob(ctx, s.words[0], s.savepoint, s.drain)
	})
}

func (p *process) takeSavepoint(ctx context.Context, args []string) error {
	least, most := 1, 2
	if s, err := read("savepoint", savepointOptions(), args, false); err == nil && s.dispose {
		least, most = 0, 0
	}
	return p.onJob(ctx, "savepoint", args, least, most, func(s *settings, session *client.Session) error {
		if s.dispose {
			return session.DisposeSavepoint(ctx, s.savepoint)
		}
		dir := ""
		if len(s.words) == 2 {
			dir = s.words[1]
		}
		return session.Savepoint(ctx, s.words[0], dir)
	})
}

func (p *process) takeCheckpoint(ctx context.Context, args []string) error {
	return p.onJob(ctx, "checkpoint", args, 1, 1, func(s *settings, session *client.Session) error {
		return session.Checkpoint(ctx, s.words[0])
	})
}
