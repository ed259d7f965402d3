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
	// Kibibytes and more pass the check of the key itself, which says of smaller ones what was meant.
	if _, err := sizes(map[string]string{"taskmanager.memory.process.size": "2048k"}, off); err == nil || !strings.Contains(err.Error(), "is 2 MiB") {
		t.Errorf("too little: %v", err)
	}
}

// Main beside the JobManager needs room for itself, and its binary is for the JobManager's container alone.
func TestMainBesideTheJobManager(t *testing.T) {
	h := hadoopconf.New(nil)
	c := map[string]string{"execution.target": "yarn-application", "jobmanager.memory.process.size": "1g", "taskmanager.memory.process.size": "8g"}
	s, err := ContainerSizes(config.FromMap(c), h)
	if err != nil || !s.Main || s.JobManagerLimitMB() != 512 || s.MainLimitMB() != 409 {
		t.Errorf("%+v, %v: limits %d and %d", s, err, s.JobManagerLimitMB(), s.MainLimitMB())
	}
	h.Set("yarn.nodemanager.resource.memory.enforced", "false")
	if s, err = ContainerSizes(config.FromMap(c), h); err != nil || s.JobManagerMB != 1829 {
		t.Errorf("two processes' address space: %+v, %v", s, err)
	}
	c["jobmanager.memory.process.size"] = "100m"
	if _, err := ContainerSizes(config.FromMap(c), h); err == nil || !strings.Contains(err.Error(), "128 MiB or more") {
		t.Errorf("too small for two: %v", err)
	}
	m := &Manifest{Files: map[string]File{Binary: {URL: "hdfs://h/weft"}}, Master: map[string]File{JobBinary: {URL: "hdfs://h/job"}}}
	if all, master := m.LocalResources(), m.MasterResources(); len(all) != 1 || len(master) != 2 {
		t.Errorf("files: %v, of the JobManager: %v", all, master)
	}
	j := &JobSpec{Name: "n", Args: []string{"-a", "b c"}, URI: "hdfs://h/job", Size: 3}
	b, err := j.Encode()
	got, decodeErr := DecodeJob(b)
	if err != nil || decodeErr != nil || !reflect.DeepEqual(got, j) {
		t.Errorf("%+v, %v, %v", got, err, decodeErr)
	}
	for _, bad := range []string{"", "{}", "[]"} {
		if _, err := DecodeJob([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
