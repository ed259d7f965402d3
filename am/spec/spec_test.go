package spec

import (
	"reflect"
	"strings"
	"testing"

	"github.com/weft-project/weft/config"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
)

func TestManifest(t *testing.T) {
	m := &Manifest{Application: "application_1_0001", User: "u", Base: "hdfs://h/.weft", Version: "v", Files: map[string]File{}}
	for _, n := range []string{Binary, Config, Hadoop, Secret} {
		m.Files[n] = File{URL: "hdfs://h/" + n, Size: 1, Modified: 1700000000123, Private: n == Binary}
	}
	text, err := m.Encode()
	if err != nil || strings.ContainsAny(text, "\"$`\\ ") {
		t.Fatalf("%q, %v: not fit for a launch script", text, err)
	}
	got, err := Decode(text)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("got %+v, %v", got, err)
	}
	delete(m.Files, Secret)
	text, _ = m.Encode()
	for _, bad := range []string{"", "no base64!", text} {
		if _, err := Decode(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestContainerSizes(t *testing.T) {
	sizes := func(conf, hadoop map[string]string) (Sizes, error) {
		h := hadoopconf.New(nil)
		for k, v := range hadoop {
			h.Set(k, v)
		}
		return ContainerSizes(config.FromMap(conf), h)
	}
	off := map[string]string{}
	on := map[string]string{"yarn.nodemanager.resource.memory.enforced": "false"}
	s, err := sizes(map[string]string{"jobmanager.memory.process.size": "1g", "taskmanager.memory.process.size": "2g", "taskmanager.numberOfTaskSlots": "3"}, off)
	if err != nil || s != (Sizes{JobManagerMB: 1024, TaskManagerMB: 2048, JobManagerVCores: 1, TaskManagerVCores: 3, Slots: 3}) {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = sizes(map[string]string{"jobmanager.memory.process.size": "1g", "taskmanager.memory.process.size": "1g", "taskmanager.numberOfTaskSlots": "2"}, on)
	if err != nil || s.TaskManagerMB != 2500 || s.Raised == "" {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = sizes(map[string]string{"taskmanager.memory.process.size": "8g"}, on)
	if err != nil || s.TaskManagerMB != 8192 || s.Raised != "" {
		t.Errorf("large enough: %+v, %v", s, err)
	}
	if _, err := sizes(map[string]string{"taskmanager.memory.process.size": "128m", "taskmanager.numberOfTaskSlots": "3"}, off); err == nil || !strings.Contains(err.Error(), "160 MiB or more") {
		t.Errorf("too many slots: %v", err)
	}
	for cores, want := range map[string]int{"2.6": 3, "0.2": 1} {
		s, err = sizes(map[string]string{"taskmanager.cpu.cores": cores, "yarn.containers.vcores": "9"}, off)
		if err != nil || s.TaskManagerVCores != want {
			t.Errorf("taskmanager.cpu.cores %s: %+v, %v", cores, s, err)
		}
	}
	// A bare number in a file is bytes, as in Flink: the sentence must say so.
	if _, err := sizes(map[string]string{"taskmanager.memory.process.size": "2048"}, off); err == nil || !strings.Contains(err.Error(), "a bare number is bytes") {
		t.Errorf("bytes: %v", err)
	}
}
