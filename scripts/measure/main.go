// Command measure is a driver: it measures the distribution, as docs/benchmarks.md reports it: the engine on a standalone cluster, then
// sessions and jobs on a private Hadoop. Times of these are those of whole processes, from their start to their end; what is
// compared is measured in turns.
//
//	go run ./scripts/measure                      all measures
//	go run ./scripts/measure engine               the engine's: workloads on two TaskManagers
//	go run ./scripts/measure nexmark-q4 shuffle   some of them
//	go run ./scripts/measure -old COMMIT engine   against another version, or against saved figures
//	go run ./scripts/measure session              a session's start against a do-nothing application's
//	go run ./scripts/measure run alloc memory upload modes many version wordcount
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/yarnrpc/yarntest"
)

// masterEnv makes this program the do-nothing ApplicationMaster, clientEnv its client.
const (
	masterEnv = "WEFT_MEASURE_MASTER"
	clientEnv = "WEFT_MEASURE_CLIENT"
)

// bench is one run of the program.
type bench struct {
	ctx   context.Context
	c     *devcluster.Cluster
	dist  string
	dir   string
	pairs int
	size  int64
}

func main() {
	if os.Getenv(masterEnv) != "" {
		os.Exit(yarntest.Main(context.Background(), os.Args[1:], os.Getenv, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if os.Getenv(clientEnv) != "" {
		err = idleClient(ctx, os.Args[1:])
	} else {
		err = run(ctx)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type measure struct {
	name string
	do   func(*bench) ([]string, error)
}

// measures on Hadoop, in the order they are made and shown.
var measures = []measure{
	{"session", (*bench).session}, {"run", (*bench).warm}, {"alloc", (*bench).alloc}, {"memory", (*bench).memory},
	{"upload", (*bench).upload}, {"modes", (*bench).modes}, {"many", (*bench).many}, {"version", (*bench).version},
	{"wordcount", (*bench).wordcount},
}

func run(ctx context.Context) (err error) {
	b := &bench{ctx: ctx}
	var e engineFlags
	flag.IntVar(&b.pairs, "n", 15, "how often each is measured on Hadoop")
	flag.IntVar(&e.n, "rounds", 3, "how often each workload of the engine is measured")
	flag.StringVar(&e.page, "page", "docs/benchmarks.md", "where the engine's table is written")
	flag.StringVar(&e.save, "save", "build/bench.json", "where the engine's figures are kept")
	flag.StringVar(&e.old, "old", "", "commit, or a file of saved figures, that the engine is compared with")
	flag.StringVar(&b.dist, "dist", "build/dist", "the distribution")
	flag.Int64Var(&b.size, "size", 256<<20, "bytes of text for wordcount")
	flag.Parse()
	if b.dist, err = filepath.Abs(b.dist); err != nil {
		return err
	}
	e.dist, e.size = b.dist, b.size
	if done, err := runEngine(ctx, e, flag.Args()); done || err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "weft-measure-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.c, err = devcluster.Start(ctx, devcluster.Options{FullJIT: true, Log: os.Stderr}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.c.Stop()) }()
	var rows []string
	for _, m := range measures {
		if flag.NArg() > 0 && !slices.Contains(flag.Args(), m.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "== measuring", m.name)
		more, err := m.do(b)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		rows = append(rows, more...)
	}
	fmt.Println("| what | median | from | to | n |\n| --- | --- | --- | --- | --- |")
	for _, r := range rows {
		fmt.Println(r)
	}
	return nil
}

// runEngine measures the engine where that is asked for; done tells that nothing else was.
func runEngine(ctx context.Context, e engineFlags, names []string) (done bool, err error) {
	for _, name := range names {
		if !onHadoop(name) && len(chosen([]string{name})) == 0 {
			return true, fmt.Errorf("%q is no measure: see docs/benchmarks.md", name)
		}
	}
	engineNames := names
	if len(names) == 0 {
		engineNames = []string{"engine"}
	}
	list := chosen(engineNames)
	if len(list) > 0 {
		if e.old != "" {
			return true, compare(ctx, e, list)
		}
		if err := measureEngine(ctx, e, list); err != nil {
			return true, err
		}
	}
	return len(names) > 0 && !slices.ContainsFunc(names, onHadoop), nil
}

// onHadoop tells whether a name is that of a measure on Hadoop.
func onHadoop(name string) bool {
	return slices.ContainsFunc(measures, func(m measure) bool { return m.name == name })
}

// sample is one process's run.
type sample struct {
	wall, cpu time.Duration
	out       string
}

// exec runs a command of the distribution, or any program by its path, in the user's environment of the cluster.
func (b *bench) exec(name string, env []string, args ...string) (sample, error) {
	if !strings.Contains(name, "/") {
		name = filepath.Join(b.dist, "bin", name)
	}
	cmd := exec.CommandContext(b.ctx, name, args...)
	for _, kv := range append(os.Environ(), b.c.Env()...) {
		if k, _, _ := strings.Cut(kv, "="); k != "HOME" && k != "TMPDIR" {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+b.dir, "TMPDIR="+b.dir)
	cmd.Env = append(cmd.Env, env...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	s := sample{wall: time.Since(began), out: string(out)}
	if err != nil {
		return s, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return s, nil
}

var applicationID = regexp.MustCompile(`application_\d+_\d+`)

// start starts a session and gives its id.
func (b *bench) start(args ...string) (string, sample, error) {
	s, err := b.exec("yarn-session.sh", nil, append([]string{"-jm", "1024", "-tm", "1728", "-s", "1", "-d"}, args...)...)
	if err != nil {
		return "", s, err
	}
	app := applicationID.FindString(s.out)
	if app == "" {
		return "", s, fmt.Errorf("no application id in %q", s.out)
	}
	return app, s, nil
}

// end kills an application and waits until YARN has everything back.
func (b *bench) end(app string) error {
	if err := b.c.KillApp(b.ctx, app); err != nil {
		return err
	}
	return b.quiet(app)
}

// quiet waits until nothing of an application runs and YARN has everything back.
func (b *bench) quiet(app string) error {
	return b.until("the cluster is idle", func() (bool, error) {
		nodes, err := b.c.Nodes(b.ctx)
		if err != nil {
			return false, err
		}
		for _, n := range nodes {
			if n.Containers > 0 {
				return false, nil
			}
		}
		return len(b.c.Processes(app)) == 0, nil
	})
}

func (b *bench) until(what string, ok func() (bool, error)) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for {
		if done, err := ok(); err != nil || done {
			return err
		}
		select {
		case <-look.C:
		case <-limit.C:
			return fmt.Errorf("waited in vain until %s", what)
		case <-b.ctx.Done():
			return context.Cause(b.ctx)
		}
	}
}

// row is a line of the report.
func row(what string, unit string, values []float64) string {
	v := slices.Clone(values)
	slices.Sort(v)
	return fmt.Sprintf("| %s | %.3g %s | %.3g | %.3g | %d |", what, median(v), unit, v[0], v[len(v)-1], len(v))
}

// median of sorted values.
func median(v []float64) float64 {
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// differences of pairs.
func differences(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] - b[i]
	}
	return out
}
