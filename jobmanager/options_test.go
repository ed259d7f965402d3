package jobmanager_test

import (
	"log/slog"
	"testing"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/security"
)

// What can not be a JobManager is said before anything runs.
func TestBadOptions(t *testing.T) {
	for want, o := range map[string]jobmanager.Options{
		"the cluster's secret is missing":               {Config: config.New(), Spec: jobmanager.TaskManagerSpec{Slots: 1}},
		"slots of a TaskManager: 0: expected 1 or more": {Config: config.New(), Secret: security.NewSecret()},
		"restart-strategy.type: initial backoff 2m0s: expected no more than the maximum backoff, 1m0s": {
			Config: config.FromMap(map[string]string{"restart-strategy.type": "exponential-delay",
				"restart-strategy.exponential-delay.initial-backoff": "2 min"}), Secret: security.NewSecret(), Spec: jobmanager.TaskManagerSpec{Slots: 1}},
		"heartbeat.timeout": {Config: config.FromMap(map[string]string{"heartbeat.timeout": "soon"}), Secret: security.NewSecret(),
			Spec: jobmanager.TaskManagerSpec{Slots: 1}},
	} {
		o.Log = slog.New(slog.DiscardHandler)
		if _, err := jobmanager.New(o); err == nil {
			t.Errorf("no error, expected: %s", want)
		} else {
			contains(t, err.Error(), want)
		}
	}
}

// The restart strategy of a job is its own: conf < command line < program.
func TestRestartStrategies(t *testing.T) {
	c := start(t, 1, map[string]string{"restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.attempts": "7"})
	for want, layers := range map[string][2]string{
		"fixed delay of 1s, at most 7 restarts":          {"", ""},
		"none":                                           {"none", ""},
		"exponential delay from 1s to 1m0s":              {"none", "exponential-delay"},
		"failure rate of at most 1 in 1m0s, delay of 1s": {"", "failure-rate"},
	} {
		r := submission(graph(1))
		if layers[0] != "" {
			r.Config["restart-strategy.type"] = layers[0]
		}
		if layers[1] != "" {
			r.Graph.Config = map[string]string{"restart-strategy.type": layers[1]}
		}
		d, err := c.backend.JobConfig(t.Context(), c.submit(r))
		if err != nil || d.Execution.RestartStrategy != want {
			t.Errorf("%v: %+v, %v, expected %q", layers, d, err, want)
		}
	}
	entries, err := c.backend.Config(t.Context())
	if err != nil || len(entries) != 2 || entries[0].Key != "restart-strategy.fixed-delay.attempts" || entries[0].Value != "7" {
		t.Errorf("configuration: %v, %v", entries, err)
	}
}

// Workers get what jobs run with of the cluster's configuration, below their own.
func TestWorkersConfiguration(t *testing.T) {
	c := start(t, 1, map[string]string{"taskmanager.memory.segment-size": "64kb", "pipeline.object-reuse": "true", "yarn.tags": "x"})
	r := submission(graph(1))
	r.Config["pipeline.object-reuse"] = "false"
	tm := c.tm("a", 1)
	c.submit(r)
	s := tm.startWorker()
	if got := s.GetConfig(); len(got) != 2 || got["taskmanager.memory.segment-size"] != "64kb" || got["pipeline.object-reuse"] != "false" {
		t.Errorf("configuration of the worker: %v", got)
	}
}
