package stream

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The program wins over the configuration from outside, and what neither says is the default.
func TestSettings(t *testing.T) {
	outside := map[string]string{"execution.runtime-mode": "batch", "pipeline.max-parallelism": "64", "pipeline.name": "of the file",
		"parallelism.default": "3", "pipeline.operator-chaining": "false"}
	for _, tt := range []struct {
		outside map[string]string
		name    string
		change  func(e *Env)
		want    string
	}{
		{nil, "", nil, `"" STREAMING 1 0 false`},
		{outside, "", nil, `"of the file" BATCH 3 64 true`},
		{outside, "own", func(e *Env) { e.SetMode(Streaming); e.SetMaxParallelism(8); e.SetParallelism(2) }, `"own" STREAMING 2 8 true`},
		{outside, "", func(e *Env) {
			e.Set("pipeline.name", "of the program")
			e.Set("execution.runtime-mode", "AUTOMATIC")
			e.Set("pipeline.operator-chaining.enabled", "true")
			e.Set("parallelism.default", "5")
		}, `"of the program" AUTOMATIC 5 64 false`},
		{map[string]string{"pipeline.max-parallelism": "-1"}, "a", func(e *Env) { e.SetMode(Batch) }, `"a" BATCH 1 0 false`},
	} {
		e := New()
		if tt.change != nil {
			tt.change(e)
		}
		s, err := e.settings(tt.name, tt.outside)
		if got := fmt.Sprintf("%q %s %d %d %t", s.Name, s.Mode, s.Parallelism, s.MaxParallelism, s.NoChaining); err != nil || got != tt.want {
			t.Errorf("outside %v: %s, %v; expected %s", tt.outside, got, err, tt.want)
		}
	}
}

// A bad value of the program is refused when the job is planned.
func TestBadSetting(t *testing.T) {
	e := New()
	e.Set("pipeline.max-parallelism", "100000")
	_, err := e.Execute(t.Context(), "bad")
	if err == nil || !strings.Contains(err.Error(), "pipeline.max-parallelism (the program): 100000 is too large") {
		t.Errorf("error %v", err)
	}
}

func TestSetBufferTimeout(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Hour: "-1", 0: "0 ms", time.Second: "1000 ms", 500 * time.Microsecond: "500000 ns"} {
		e := New()
		e.SetBufferTimeout(d)
		if s, err := e.settings("", nil); err != nil || s.Config["execution.buffer-timeout.interval"] != want {
			t.Errorf("%s: %v, %v; expected %q", d, s.Config, err, want)
		}
	}
}
