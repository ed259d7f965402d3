package standalone_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// scrape reads /metrics with the token for reading, which changes nothing.
func (s *site) scrape(method, path string) (text string, status int) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d%s", s.restPort, path), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(s.ok("jobmanager.sh", "read-token")))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error(), 0
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error(), 0
	}
	return string(b), answer.StatusCode
}

// measured checks that one scrape sees the JobManager, both TaskManagers and the tasks of a job that runs on them.
func (s *site) measured(job string) {
	s.t.Helper()
	wanted := []*regexp.Regexp{
		regexp.MustCompile(`(?m)^weft_jobmanager_numRegisteredTaskManagers\{host="[^"]+"\} 2$`),
		regexp.MustCompile(`(?m)^weft_jobmanager_Status_JVM_Memory_Heap_Used\{host="[^"]+"\} \d+$`),
		regexp.MustCompile(`(?m)^weft_jobmanager_job_uptime\{host="[^"]+",job_id="` + job + `",job_name="counts"\} \d+$`),
		regexp.MustCompile(`(?m)^weft_taskmanager_Status_JVM_CPU_Load\{.*\n(weft_taskmanager_Status_JVM_CPU_Load\{.*)$`),
		regexp.MustCompile(`(?m)^weft_taskmanager_job_task_busyTimeMsPerSecond\{host="[^"]+",tm_id="[^"]+",job_id="` + job + `",job_name="counts",.*subtask_index="0"\} \d+$`),
		regexp.MustCompile(`(?m)^weft_taskmanager_job_task_busyTimeMsPerSecond\{.*subtask_index="1"\} \d+$`),
		regexp.MustCompile(`(?m)^weft_taskmanager_job_task_operator_numRecordsOut\{.*operator_name="[^"]+"\} \d+$`),
	}
	var text, missing string
	defer func() {
		if s.t.Failed() {
			s.t.Log("missing: " + missing)
		}
	}()
	s.until("one scrape sees all of the cluster", func() bool {
		var status int
		if text, status = s.scrape(http.MethodGet, "/metrics"); status != http.StatusOK {
			return false
		}
		for _, w := range wanted {
			if !w.MatchString(text) {
				missing = fmt.Sprintf("%s in\n%s", w, text)
				return false
			}
		}
		return true
	})
	if text, status := s.scrape(http.MethodPatch, "/jobs/"+job); status != http.StatusUnauthorized {
		s.t.Errorf("canceling with the token for reading: status %d: %s", status, text)
	}
}
