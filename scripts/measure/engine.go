package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// engine measures the streaming engine on a standalone cluster of its own: two TaskManagers of one slot and 1728 MiB, parallelism 2.
type engine struct {
	ctx  context.Context
	dist string
	dir  string
	text string
	env  []string
}

// figures are what one run of a workload gave.
type figures struct {
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"`
	// CPU seconds of both TaskManagers with their workers; RSS is the most that one of them had, in MiB.
	CPU float64 `json:"cpu"`
	RSS float64 `json:"rss"`
	// P99 and P999 are of latency, in milliseconds.
	P99  float64 `json:"p99,omitempty"`
	P999 float64 `json:"p999,omitempty"`
	// Limit is the rate of the program by hand in the same round.
	Limit float64 `json:"limit,omitempty"`
}

// answer is the last line that the benchmark job prints.
type answer struct {
	Records int64   `json:"records"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"records_per_s"`
	Out     int64   `json:"out"`
	Check   int64   `json:"check"`
	Latency struct {
		P99, P999 float64
	} `json:"latency"`
}

// startEngine starts a cluster of a distribution in a directory of its own.
func startEngine(ctx context.Context, dist, dir, text string) (*engine, error) {
	e := &engine{ctx: ctx, dist: dist, dir: dir, text: text}
	conf := filepath.Join(dir, "conf")
	for _, d := range []string{conf, filepath.Join(dir, "log"), filepath.Join(dir, "pid"), filepath.Join(dir, "tmp")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	rpc, web, err := freePorts()
	if err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		"masters": "localhost\n", "workers": "localhost\nlocalhost\n",
		"config.yaml": fmt.Sprintf("jobmanager.rpc.address: localhost\njobmanager.rpc.port: %d\nrest.port: %d\ntaskmanager.numberOfTaskSlots: 1\n"+
			"taskmanager.memory.process.size: 1728m\nenv.log.dir: %[3]s/log\nenv.pid.dir: %[3]s/pid\nio.tmp.dirs: %[3]s/tmp\n", rpc, web, dir),
	} {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	for _, kv := range os.Environ() {
		if k, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(k, "WEFT_") && !strings.HasPrefix(k, "HADOOP_") && !strings.HasPrefix(k, "YARN_") && k != "HOME" {
			e.env = append(e.env, kv)
		}
	}
	e.env = append(e.env, "HOME="+dir, "WEFT_CONF_DIR="+conf)
	if out, err := e.command("bin/start-cluster.sh").CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("start-cluster.sh: %w\n%s", err, out), e.stop())
	}
	return e, nil
}

// stop ends the cluster, also after the measures were interrupted.
func (e *engine) stop() error {
	cmd := exec.Command(filepath.Join(e.dist, "bin", "stop-cluster.sh"))
	cmd.Env = e.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("stop-cluster.sh: %w\n%s", err, out)
	}
	return nil
}

func (e *engine) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(e.ctx, filepath.Join(e.dist, name), args...)
	cmd.Env = e.env
	return cmd
}

func freePorts() (rpc, web int, err error) {
	for _, p := range []*int{&rpc, &web} {
		l, err := net.Listen("tcp", "localhost:0")
		if err != nil {
			return 0, 0, err
		}
		defer l.Close() // both are open at once, so that they differ
		*p = l.Addr().(*net.TCPAddr).Port
	}
	return rpc, web, nil
}

// arguments puts the text and an output of its own into a workload's arguments.
func (e *engine) arguments(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		a = strings.ReplaceAll(a, "TEXT", e.text)
		out[i] = strings.ReplaceAll(a, "OUT", filepath.Join(e.dir, fmt.Sprint("out-", time.Now().UnixNano())))
	}
	return out
}

// run runs a workload once.
func (e *engine) run(w *workload) (figures, error) {
	managers, err := e.managers(2)
	if err != nil {
		return figures{}, err
	}
	before := managers.cpu()
	watching := managers.watch()
	args := append([]string{"run", "-p", "2", filepath.Join(e.dist, "bench", "weft-bench")}, e.arguments(w.args)...)
	out, err := e.command("bin/weft", append(args, "--parallelism", "2")...).CombinedOutput()
	rss := watching()
	if err != nil {
		return figures{}, fmt.Errorf("%s: %w\n%s", w.name, err, out)
	}
	a, err := answerOf(out)
	if err != nil {
		return figures{}, fmt.Errorf("%s: %w", w.name, err)
	}
	if w.out != 0 && (a.Out != w.out || a.Check != w.check) {
		return figures{}, fmt.Errorf("%s: wrong result: %d records with checksum %d, expected %d with %d", w.name, a.Out, a.Check, w.out, w.check)
	}
	if err := e.without(managers); err != nil {
		return figures{}, err
	}
	return figures{Seconds: a.Seconds, Rate: a.Rate, CPU: managers.cpu() - before, RSS: rss, P99: a.Latency.P99, P999: a.Latency.P999}, e.clean()
}

// byHand runs the same computation without an engine, and gives its rate.
func (e *engine) byHand(program string, w *workload) (float64, error) {
	cmd := exec.CommandContext(e.ctx, program, e.arguments(w.byHand)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s by hand: %w", w.name, err)
	}
	a, err := answerOf(out)
	if err == nil && (a.Out != w.out || a.Check != w.check) {
		err = fmt.Errorf("%s by hand: wrong result: %d records with checksum %d, expected %d with %d", w.name, a.Out, a.Check, w.out, w.check)
	}
	return a.Rate, errors.Join(err, e.clean())
}

// answerOf finds the result in what a job has printed.
func answerOf(out []byte) (a answer, err error) {
	at := strings.LastIndex(string(out), `{"job"`)
	if at < 0 {
		return a, fmt.Errorf("no result in %q", out)
	}
	return a, json.NewDecoder(strings.NewReader(string(out[at:]))).Decode(&a)
}

// clean removes what a workload has written.
func (e *engine) clean() error {
	written, err := filepath.Glob(filepath.Join(e.dir, "out-*"))
	for _, f := range written {
		err = errors.Join(err, os.RemoveAll(f))
	}
	return err
}

// without waits until the workers of a job are gone: only then their CPU time counts as their TaskManager's.
func (e *engine) without(managers processes) error {
	for limit := time.Now().Add(time.Minute); managers.children() > 0; {
		if time.Now().After(limit) {
			return errors.New("waited a minute in vain until the job's workers were gone")
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-e.ctx.Done():
			return context.Cause(e.ctx)
		}
	}
	return nil
}
