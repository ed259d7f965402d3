package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// modes compares clusters for one job with a do-nothing application that runs one container.
func (b *bench) modes() ([]string, error) {
	home := "/user/" + b.c.User()
	// The text of the small word count is there once tiny has run in a session.
	if rows, err := b.first(); err != nil {
		return rows, err
	}
	var perJob, application, theirs []float64
	for i := range b.pairs + 1 {
		var took [2]sample
		for k, mode := range [][]string{{"run", "-t", "yarn-per-job"}, {"run-application", "-t", "yarn-application"}} {
			out := fmt.Sprintf("hdfs://%s/mode-%d-%d", home, k, time.Now().UnixNano())
			s, err := b.exec("weft", nil, append(mode, filepath.Join(b.dist, "examples", "wordcount"), "-input", "hdfs://"+home+"/tiny", "-output", out)...)
			if err != nil {
				return nil, err
			}
			took[k] = s
			if err := b.quiet(applicationID.FindString(s.out)); err != nil {
				return nil, err
			}
		}
		idle, t, err := b.idle("-containers", "1", "-memory", "1728", "-hold", "1s")
		if err != nil {
			return nil, err
		}
		if _, err := b.c.WaitApp(b.ctx, idle, "FINISHED"); err != nil {
			return nil, err
		}
		container, err := b.containerTime(idle)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			perJob, application = append(perJob, took[0].wall.Seconds()), append(application, took[1].wall.Seconds())
			theirs = append(theirs, (t.wall + container).Seconds())
		}
	}
	return []string{
		row("`run -t yarn-per-job` of a 10 KB WordCount, from start to end", "s", perJob),
		row("`run-application` of it, from start to end", "s", application),
		row("do-nothing application to RUNNING, and one container", "s", theirs),
		row("difference, per-job", "s", differences(perJob, theirs)),
		row("difference, application mode", "s", differences(application, theirs)),
	}, nil
}

// first puts the small text into HDFS.
func (b *bench) first() ([]string, error) {
	app, _, err := b.start()
	if err != nil {
		return nil, err
	}
	if _, err := b.tiny(0); err != nil {
		return nil, err
	}
	return nil, b.end(app)
}

// many runs fifty jobs in one session and looks at what its processes have before and after.
func (b *bench) many() ([]string, error) {
	app, _, err := b.start()
	if err != nil {
		return nil, err
	}
	look := func() (am, tm float64, err error) {
		err = b.until("the worker is gone", func() (bool, error) { return len(b.ours(app)) == 2, nil })
		for _, p := range b.ours(app) {
			mib := float64(p.RSS) / (1 << 20)
			if strings.Contains(strings.Join(p.Args, " "), " jobmanager ") {
				am = mib
			} else {
				tm = mib
			}
		}
		return am, tm, err
	}
	const warm, jobs = 5, 50
	var am, tm [2]float64
	for i := range warm + jobs {
		if _, err := b.tiny(i); err != nil {
			return nil, err
		}
		if k := (i - warm + 1) / jobs; i == warm-1 || i == warm+jobs-1 {
			if am[k], tm[k], err = look(); err != nil {
				return nil, err
			}
		}
	}
	grown := func(what string, v [2]float64) string {
		return fmt.Sprintf("| VmRSS of %s after %d more jobs, after %d | %.3g MiB (%+.1f %%) | %.3g | %.3g | 1 |", what, jobs, warm, v[1], 100*(v[1]/v[0]-1), v[0], v[1])
	}
	return []string{grown("the ApplicationMaster", am), grown("the TaskManager", tm)}, b.end(app)
}

// version measures the start of the command itself.
func (b *bench) version() ([]string, error) {
	var ms []float64
	for range b.pairs {
		s, err := b.exec("weft", nil, "--version")
		if err != nil {
			return nil, err
		}
		ms = append(ms, s.wall.Seconds()*1000)
	}
	return []string{row("`weft --version`", "ms", ms)}, nil
}
