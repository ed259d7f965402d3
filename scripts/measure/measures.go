package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/yarnrpc"
	"github.com/weft-project/weft/yarnrpc/yarntest"
)

// idleClient submits the do-nothing application and returns when it is RUNNING.
func idleClient(ctx context.Context, flags []string) error {
	conf, err := hadoopconf.Load(os.Getenv)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	file := filepath.Join(os.Getenv("HOME"), "hadoop.xml")
	program, err := os.Stat(self)
	if err != nil {
		return err
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		w, err := os.Create(file)
		if err != nil {
			return err
		}
		if err := errors.Join(conf.WriteXML(w), w.Close()); err != nil {
			return err
		}
	}
	xml, err := os.Stat(file)
	if err != nil {
		return err
	}
	rm, err := yarnrpc.NewClientRM(conf, yarnrpc.Options{User: os.Getenv("HADOOP_USER_NAME")})
	if err != nil {
		return err
	}
	defer rm.Close()
	r, err := yarntest.Submit(ctx, rm, yarntest.App{Name: "idle", Program: yarntest.LocalFile(self, program), Conf: yarntest.LocalFile(file, xml),
		Environment: map[string]string{masterEnv: "1"}, Flags: flags, AM: yarnrpc.Resource{MemoryMB: 1024, VCores: 1}})
	if err != nil {
		return err
	}
	if r, err = yarntest.Wait(ctx, rm, r.ID, 10*time.Millisecond, func(r yarnrpc.ApplicationReport) bool { return r.State == yarnrpc.StateRunning }); err != nil {
		return err
	}
	fmt.Println(r.ID)
	return nil
}

// idle runs the do-nothing application to RUNNING.
func (b *bench) idle(flags ...string) (string, sample, error) {
	self, err := os.Executable()
	if err != nil {
		return "", sample{}, err
	}
	s, err := b.exec(self, []string{clientEnv + "=1"}, flags...)
	return applicationID.FindString(s.out), s, err
}

// session compares a session's start with that of an application that does nothing.
func (b *bench) session() ([]string, error) {
	var ours, theirs []float64
	for i := range b.pairs + 1 {
		app, s, err := b.start()
		if err != nil {
			return nil, err
		}
		if err := b.end(app); err != nil {
			return nil, err
		}
		idle, t, err := b.idle()
		if err != nil {
			return nil, err
		}
		if err := b.end(idle); err != nil {
			return nil, err
		}
		if i > 0 { // the first of each uploads and localises
			ours, theirs = append(ours, s.wall.Seconds()), append(theirs, t.wall.Seconds())
		}
	}
	return []string{
		row("`yarn-session.sh -d`, from start to end, second and later starts", "s", ours),
		row("do-nothing application on `yarnrpc`, to RUNNING", "s", theirs),
		row("difference of the pairs", "s", differences(ours, theirs)),
	}, nil
}

// tiny runs the small word count.
func (b *bench) tiny(i int, args ...string) (sample, error) {
	home := "/user/" + b.c.User()
	if i == 0 {
		text := filepath.Join(b.dir, "tiny")
		if err := os.WriteFile(text, []byte(strings.Repeat("to be or not to be that is the question\n", 250)), 0o600); err != nil {
			return sample{}, err
		}
		if err := b.c.Put(b.ctx, text, home+"/tiny"); err != nil {
			return sample{}, err
		}
	}
	out := fmt.Sprintf("%s/tiny-out-%d-%d", home, i, time.Now().UnixNano())
	all := append(append([]string{"run"}, args...), filepath.Join(b.dist, "examples", "wordcount"), "-input", "hdfs://"+home+"/tiny", "-output", "hdfs://"+out)
	return b.exec("weft", nil, all...)
}

// warm measures a small job with a TaskManager that is there.
func (b *bench) warm() ([]string, error) {
	app, _, err := b.start()
	if err != nil {
		return nil, err
	}
	var wall, cpu []float64
	for i := range b.pairs + 1 {
		s, err := b.tiny(i)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			wall, cpu = append(wall, s.wall.Seconds()), append(cpu, s.cpu.Seconds())
		}
	}
	return []string{
		row("`weft run` of a 10 KB WordCount, TaskManager there, from start to end", "s", wall),
		row("CPU of that `weft run` on the client, the job's main included", "s", cpu),
	}, b.end(app)
}

// alloc measures a small job that needs a new TaskManager, against YARN's own time for a container.
func (b *bench) alloc() ([]string, error) {
	app, _, err := b.start("-Dresourcemanager.taskmanager-timeout=300 ms")
	if err != nil {
		return nil, err
	}
	var ours, theirs []float64
	for i := range b.pairs + 1 {
		s, err := b.tiny(i)
		if err != nil {
			return nil, err
		}
		idle, _, err := b.idle("-containers", "1", "-memory", "1728", "-hold", "1s")
		if err != nil {
			return nil, err
		}
		if _, err := b.c.WaitApp(b.ctx, idle, "FINISHED"); err != nil {
			return nil, err
		}
		t, err := b.containerTime(idle)
		if err != nil {
			return nil, err
		}
		if err := b.until("the TaskManager is gone", func() (bool, error) { return len(b.ours(app)) == 1, nil }); err != nil {
			return nil, err
		}
		if i > 0 {
			ours, theirs = append(ours, s.wall.Seconds()), append(theirs, t.Seconds())
		}
	}
	return []string{
		row("`weft run` of a 10 KB WordCount, TaskManager to be allocated first", "s", ours),
		row("YARN's own time for a container, from the request until it runs", "s", theirs),
		row("difference of the pairs", "s", differences(ours, theirs)),
	}, b.end(app)
}

// containerTime reads from the do-nothing ApplicationMaster's log how long a container took.
func (b *bench) containerTime(app string) (time.Duration, error) {
	logs, err := b.c.ContainerLogs(app)
	if err != nil {
		return 0, err
	}
	var began, ran time.Time
	for _, log := range logs {
		for line := range strings.Lines(log) {
			text, _, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
			at, err := time.Parse(time.RFC3339Nano, text)
			switch {
			case err != nil:
			case strings.Contains(line, "msg=registered"):
				began = at
			case strings.Contains(line, "all containers run"):
				ran = at
			}
		}
	}
	if began.IsZero() || ran.IsZero() {
		return 0, fmt.Errorf("the log of %s does not tell when its container ran", app)
	}
	return ran.Sub(began), nil
}

// ours are an application's processes without the shells that YARN starts them with.
func (b *bench) ours(app string) []devcluster.Proc {
	return slices.DeleteFunc(b.c.Processes(app), func(p devcluster.Proc) bool { return filepath.Base(p.Exe) == "bash" })
}

// memory measures resident memory of idle processes.
func (b *bench) memory() ([]string, error) {
	var am, tm []float64
	for i := range b.pairs {
		app, _, err := b.start()
		if err != nil {
			return nil, err
		}
		if _, err := b.tiny(i); err != nil {
			return nil, err
		}
		if err := b.until("the worker is gone", func() (bool, error) { return len(b.ours(app)) == 2, nil }); err != nil {
			return nil, err
		}
		for _, p := range b.ours(app) {
			mib := float64(p.RSS) / (1 << 20)
			if strings.Contains(strings.Join(p.Args, " "), " jobmanager ") {
				am = append(am, mib)
			} else {
				tm = append(tm, mib)
			}
		}
		if err := b.end(app); err != nil {
			return nil, err
		}
	}
	return []string{
		row("VmRSS of the ApplicationMaster (JobManager), idle after a job", "MiB", am),
		row("VmRSS of a TaskManager without a worker, idle after a job", "MiB", tm),
	}, nil
}

// upload measures what a second start and a second run bring to HDFS.
func (b *bench) upload() ([]string, error) {
	size := func() (float64, error) {
		files, err := b.c.Walk(b.ctx, "/user/"+b.c.User()+"/.weft")
		var sum float64
		for _, f := range files {
			sum += float64(f.Length)
		}
		return sum / 1024, err
	}
	var starts, runs []float64
	for i := range 3 {
		before, err := size()
		if i == 0 {
			before, err = 0, nil
		}
		if err != nil {
			return nil, err
		}
		app, _, err := b.start()
		if err != nil {
			return nil, err
		}
		started, err := size()
		if err != nil {
			return nil, err
		}
		if _, err := b.tiny(i); err != nil {
			return nil, err
		}
		ran, err := size()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			starts, runs = append(starts, started-before), append(runs, ran-started)
		}
		if _, err := b.exec("/bin/sh", nil, "-c", "echo stop | "+filepath.Join(b.dist, "bin", "yarn-session.sh")+" -id "+app); err != nil {
			return nil, err
		}
		if _, err := b.c.WaitApp(b.ctx, app, "FINISHED"); err != nil {
			return nil, err
		}
	}
	return []string{row("uploaded by a second session start", "KiB", starts), row("uploaded by a second run of the same job", "KiB", runs)}, nil
}

// wordcount measures the throughput from HDFS to HDFS.
func (b *bench) wordcount() ([]string, error) {
	text := filepath.Join(b.dir, "text")
	if _, err := b.exec(filepath.Join(b.dist, "bench", "weft-bench"), nil, "gentext", "--size", fmt.Sprint(b.size), "-o", text); err != nil {
		return nil, err
	}
	home := "/user/" + b.c.User()
	if err := b.c.Put(b.ctx, text, home+"/text"); err != nil {
		return nil, err
	}
	app, _, err := b.start()
	if err != nil {
		return nil, err
	}
	var rate []float64
	for i := range b.pairs + 1 {
		s, err := b.exec("weft", nil, "run", "-p", "2", filepath.Join(b.dist, "bench", "weft-bench"), "wordcount-batch", "--parallelism", "2",
			"--input", "hdfs://"+home+"/text", "--output", fmt.Sprintf("hdfs://%s/counts-%d", home, i))
		if err != nil {
			return nil, err
		}
		var result struct {
			Rate  float64 `json:"records_per_s"`
			Out   int64   `json:"out"`
			Check int64   `json:"check"`
		}
		at := strings.LastIndex(s.out, "{\"job\"")
		if at < 0 {
			return nil, fmt.Errorf("no result in %q", s.out)
		}
		if err := json.NewDecoder(strings.NewReader(s.out[at:])).Decode(&result); err != nil {
			return nil, fmt.Errorf("%w in %q", err, s.out)
		}
		if i > 0 {
			rate = append(rate, result.Rate/1e6)
		}
	}
	return []string{row(fmt.Sprintf("wordcount-batch, %d MiB, HDFS to HDFS, parallelism 2, two TaskManagers of one slot", b.size>>20), "M words/s", rate)}, b.end(app)
}
