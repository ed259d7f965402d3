package yarnrpc

import (
	"strings"
	"testing"
)

func TestIDs(t *testing.T) {
	app, err := ParseApplicationID("application_1410450250506_0003")
	if err != nil || app != (ApplicationID{1410450250506, 3}) || app.String() != "application_1410450250506_0003" {
		t.Error(app, err)
	}
	if a, err := ParseApplicationID("application_1_12345"); err != nil || a.String() != "application_1_12345" {
		t.Error(a, err)
	}
	att, err := ParseAttemptID("appattempt_1410450250506_0003_000002")
	if err != nil || att != (AttemptID{app, 2}) || att.String() != "appattempt_1410450250506_0003_000002" {
		t.Error(att, err)
	}
	for _, s := range []string{"container_1410450250506_0003_02_000005", "container_e17_1410450250506_0003_02_000005", "container_e117_1_10001_102_1000005"} {
		c, err := ParseContainerID(s)
		if err != nil || c.String() != s {
			t.Errorf("%s: %s %v", s, c, err)
		}
		if back := containerID(c.proto()); back != c {
			t.Errorf("%v became %v", c, back)
		}
	}
	if c, _ := ParseContainerID("container_e17_1_0003_02_000005"); c.Number != 17<<40|5 || c.Epoch() != 17 {
		t.Error(c.Number)
	}
	for _, bad := range []string{"", "application_", "application_1", "application_1_2_3", "application_x_1", "application_1_99999999999", "application_-1_1"} {
		if _, err := ParseApplicationID(bad); err == nil || !strings.Contains(err.Error(), "expected the form") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"container_", "container_e_1_1_1_1", "container_ex_1_1_1_1", "container_1_1_1", "container_1_1_1_1_1", "container_1_1_1_9999999999999"} {
		if _, err := ParseContainerID(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func FuzzParseContainerID(f *testing.F) {
	f.Add("container_e17_1410450250506_0003_02_000005")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseContainerID(s)
		if err != nil {
			return
		}
		if back, err := ParseContainerID(c.String()); err != nil || back != c {
			t.Errorf("%q: %+v became %+v, %v", s, c, back, err)
		}
	})
}

func TestExplain(t *testing.T) {
	for status, want := range map[int]string{-100: "ABORTED", -102: "preempted", -103: "virtual memory", -104: "more memory than it was allocated", -105: "stopped by its ApplicationMaster",
		-107: "application had ended", 137: "SIGKILL", 143: "SIGTERM", 139: "signal 11", 1: "its log says why", 127: "not found", 42: "exit code 42", -4711: "does not know"} {
		if got := ContainerExit(status); !strings.Contains(got, want) {
			t.Errorf("%d: %s", status, got)
		}
	}
	id, _ := ParseContainerID("container_1_0001_01_000002")
	s := ContainerStatus{ID: id, ExitStatus: 7, Diagnostics: "[2026-11-21 05:15:28.849]Exception from container-launch.\nContainer id: container_1\nExit code: 7\n\n[2026-11-21 05:15:28.870]boom\nboom\n"}
	if got := s.Explain(); got != "container container_1_0001_01_000002 ended with exit code 7: Exception from container-launch.; boom" {
		t.Error(got)
	}
	s.Diagnostics = strings.Repeat("ä", 5000)
	if got := s.Explain(); len(got) > 1200 || !strings.HasSuffix(got, "ä…") {
		t.Error(len(got))
	}
}

func TestLocalResourceURL(t *testing.T) {
	for in, want := range map[string][3]string{
		"hdfs://ns/user/a b/x": {"hdfs", "ns", "/user/a b/x"},
		"hdfs://nn:8020/x%20y": {"hdfs", "nn", "/x y"},
		"file:///tmp/x":        {"file", "", "/tmp/x"},
	} {
		p, err := LocalResource{URL: in}.proto()
		if err != nil || p.GetResource().GetScheme() != want[0] || p.GetResource().GetHost() != want[1] || p.GetResource().GetFile() != want[2] {
			t.Errorf("%s: %v %v", in, p, err)
		}
		if port := p.GetResource().GetPort(); (port == 8020) != strings.Contains(in, ":8020") || port != 8020 && port != -1 {
			t.Errorf("%s: port %d", in, port)
		}
	}
	for _, bad := range []string{"", "/x", "hdfs://ns", "::"} {
		if _, err := (LocalResource{URL: bad}).proto(); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}
