package worker

import (
	"testing"
	"time"

	"github.com/weft-project/weft/config"
)

// The job's configuration is read by the same rules as everywhere.
func TestBufferTimeoutOfTheJob(t *testing.T) {
	const key, old, enabled = "execution.buffer-timeout.interval", "execution.buffer-timeout", "execution.buffer-timeout.enabled"
	for _, tt := range []struct {
		values map[string]string
		want   time.Duration
	}{
		{nil, 5 * time.Millisecond},
		{map[string]string{key: "1 min"}, time.Minute},
		{map[string]string{key: "PT0.2S"}, 200 * time.Millisecond},
		{map[string]string{old: "100"}, 100 * time.Millisecond},
		{map[string]string{old: "100", key: "7"}, 7 * time.Millisecond},
		{map[string]string{key: "0"}, 0},
		{map[string]string{key: "-1"}, -1},
		{map[string]string{old: "-1 ms"}, -1},
		{map[string]string{key: "100 ms", enabled: "FALSE"}, -1},
	} {
		if got := bufferTimeout(config.FromMap(tt.values)); got != tt.want {
			t.Errorf("%v: %s, expected %s", tt.values, got, tt.want)
		}
	}
}

func TestNetworkBuffersOfTheJob(t *testing.T) {
	n := networkConfig(nil)
	if n.BufferSize != 32<<10 || n.ExclusivePerChannel != 2 || n.FloatingPerGate != 8 {
		t.Errorf("defaults: %+v", n)
	}
	n = networkConfig(map[string]string{"taskmanager.memory.segment-size": "4 kb", "taskmanager.network.memory.buffers-per-channel": "3",
		"taskmanager.network.memory.floating-buffers-per-gate": "5"})
	if n.BufferSize != 4<<10 || n.ExclusivePerChannel != 3 || n.FloatingPerGate != 5 {
		t.Errorf("set: %+v", n)
	}
}
