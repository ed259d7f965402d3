package standalone_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest"
)

// send sends a request to the JobManager as its owner.
func (s *site) send(token, method, target, contentType string, body io.Reader) (int, []byte) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://127.0.0.1:"+strconv.Itoa(s.restPort)+target, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", contentType)
	answer, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, b
}

// upload uploads this binary.
func (s *site) upload(token string) string {
	s.t.Helper()
	program, err := os.ReadFile(s.job)
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, partErr := w.CreateFormFile("jarfile", "counts")
	if err = errors.Join(err, partErr); err == nil {
		_, err = part.Write(program)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		s.t.Fatal(err)
	}
	status, text := s.send(token, "POST", "/jars/upload", w.FormDataContentType(), &b)
	var up rest.JarUpload
	if err := json.Unmarshal(text, &up); err != nil || status != 200 {
		s.t.Fatalf("upload: %d %s", status, text)
	}
	return "/jars/" + path.Base(up.FileName)
}

// An uploaded program's main runs on a TaskManager, which fetches it from the JobManager; the job is like any other.
func TestUploadedProgram(t *testing.T) {
	s := newSite(t, "localhost", "taskmanager.numberOfTaskSlots: 2")
	s.start()
	c := s.client()
	token := strings.TrimSpace(s.ok("jobmanager.sh", "token"))
	in, counts := s.input()
	out := t.TempDir() + "/counts"
	jar := s.upload(token)
	run := func(method, target string, body rest.JarRunBody) (int, string) {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		status, answer := s.send(token, method, jar+target, "application/json", bytes.NewReader(text))
		return status, string(answer)
	}
	if status, text := run("POST", "/run", rest.JarRunBody{ProgramArgsList: []string{"-nonsense"}}); status != 400 || !strings.Contains(text, "not defined: -nonsense") {
		t.Errorf("%d %s", status, text)
	}
	if status, text := run("GET", "/plan?parallelism=3", rest.JarRunBody{}); status != 200 || !strings.Contains(text, `"name":"counts"`) || !strings.Contains(text, `"parallelism":3`) {
		t.Errorf("%d %s", status, text)
	}
	two := 2
	status, text := run("POST", "/run", rest.JarRunBody{Parallelism: &two, ProgramArgsList: []string{"-input", in, "-output", "file://" + out}})
	if status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	s.until("the job has finished", func() bool {
		o, err := c.Overview(t.Context())
		return err == nil && o.JobsFinished == 1 && o.SlotsAvailable == o.SlotsTotal
	})
	s.compare(out, counts)
	tms, err := c.TaskManagers(t.Context())
	if err != nil || len(tms) != 1 {
		t.Fatalf("%v, %v", tms, err)
	}
	at := "/taskmanagers/" + tms[0].ID
	for path, want := range map[string]string{"/jobmanager/log": "the JobManager serves", "/jobmanager/stdout": "", "/jobmanager/logs": "-jobmanager-0-", at + "/log": "uploaded program",
		at + "/stdout": "", at + "/logs": "worker-", at + "/thread-dump": "goroutine "} {
		if status, text := s.send(token, "GET", path, "", nil); status != 200 || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, text := s.send(token, "DELETE", jar, "", nil); status != 200 {
		t.Errorf("delete: %d %s", status, text)
	}
	if left, err := filepath.Glob(s.tmp + "/*/jars/*"); err != nil || len(left) != 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
	if left, err := filepath.Glob(s.tmp + "/*/plans/*"); err != nil || len(left) != 0 {
		t.Errorf("working directories are left: %v, %v", left, err)
	}
	s.ok("stop-cluster.sh")
	s.empty()
}
