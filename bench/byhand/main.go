// Command byhand is a driver: some of the benchmark job's workloads as programs without an engine, which say how fast the same computation
// can be with the same processes and the same exchange: two processes that send each other records over TCP on loopback.
// It has no checkpoints, no restarts, no backpressure but the socket's, and knows its types. The last line on standard output is one JSON object.
//
//	byhand wordcount-batch --input text --output counts
//	byhand keyed-window
//	byhand cross
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// processes of a workload.
const processes = 2

// indexEnv is set for the processes that do the work: which of them this is. addressEnv is where the first one listens.
const (
	indexEnv   = "WEFT_BYHAND_INDEX"
	addressEnv = "WEFT_BYHAND_ADDRESS"
)

// outcome is what one process, or all together, have to say.
type outcome struct {
	Job     string  `json:"job"`
	Records int64   `json:"records"`
	Seconds float64 `json:"seconds"`
	PerS    float64 `json:"records_per_s"`
	CPU     float64 `json:"cpu_seconds"`
	Out     int64   `json:"out"`
	Check   int64   `json:"check"`
}

type options struct {
	input, output string
	events        int64
}

var workloads = map[string]func(me int, peer net.Conn, o options) (outcome, error){
	"wordcount-batch": wordcount, "keyed-window": keyedWindow, "cross": cross,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 || workloads[args[0]] == nil {
		return errors.New("usage: byhand wordcount-batch | keyed-window | cross [options]")
	}
	var o options
	fs := flag.NewFlagSet(args[0], flag.ContinueOnError)
	fs.StringVar(&o.input, "input", "", "text to read")
	fs.StringVar(&o.output, "output", "", "directory to write")
	fs.Int64Var(&o.events, "events", 20_000_000, "events that are generated")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	if index := os.Getenv(indexEnv); index != "" {
		return work(args[0], index, o)
	}
	return lead(args, o)
}

// lead starts the processes and adds up what they say.
func lead(args []string, o options) error {
	began := time.Now()
	if o.output != "" {
		if err := os.Mkdir(o.output, 0o700); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	var outcomes [processes]outcome
	var errs [processes]error
	for i := range processes {
		wait.Go(func() {
			cmd := exec.Command(self, args...)
			cmd.Env = append(os.Environ(), indexEnv+"="+strconv.Itoa(i), addressEnv+"="+listener.Addr().String())
			cmd.ExtraFiles = []*os.File{file}
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err == nil {
				err = json.Unmarshal(out, &outcomes[i])
			}
			if errs[i] = err; err == nil {
				outcomes[i].CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
			}
		})
	}
	wait.Wait()
	if err := errors.Join(append(errs[:], file.Close(), listener.Close())...); err != nil {
		return err
	}
	sum := outcome{Job: args[0], Seconds: time.Since(began).Seconds()}
	for _, x := range outcomes {
		sum.Records += x.Records
		sum.CPU += x.CPU
		sum.Out += x.Out
		sum.Check += x.Check
	}
	sum.PerS = float64(sum.Records) / sum.Seconds
	return json.NewEncoder(os.Stdout).Encode(sum)
}

// work is the life of one of the processes.
func work(name, index string, o options) error {
	me, err := strconv.Atoi(index)
	if err != nil {
		return err
	}
	peer, err := connect(me)
	if err != nil {
		return err
	}
	defer peer.Close()
	x, err := workloads[name](me, peer, o)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(x)
}

func connect(me int) (net.Conn, error) {
	if me > 0 {
		return net.Dial("tcp", os.Getenv(addressEnv))
	}
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.Accept()
}
