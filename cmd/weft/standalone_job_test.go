package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// How standalone-job.sh finds the job and what belongs to it.
func TestStandaloneJobArgs(t *testing.T) {
	dist := t.TempDir()
	weft, usrlib := filepath.Join(dist, "bin", "weft"), filepath.Join(dist, "usrlib")
	if err := os.Mkdir(usrlib, 0o700); err != nil {
		t.Fatal(err)
	}
	counts := filepath.Join(usrlib, "counts")
	if err := os.WriteFile(counts, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	const jid = "0123456789abcdef0123456789abcdef"
	for line, want := range map[string]string{
		"counts -input x":                counts + " -input x",
		"-j counts -input x -h host":     counts + " -input x -h host",
		"-h host -j counts -- -h x":      counts + " -h x",
		"":                               counts,
		"-D a=b -r 8082 --job-id " + jid: counts,
		"--jars " + counts + " -j org.example.Counts in":   counts + " in",
		"--job-classname=counts --allowNonRestoredState x": counts + " x",
		"hdfs:///jobs/counts a":                            "hdfs:///jobs/counts a",
	} {
		s, err := standaloneJobArgs(strings.Fields(line), weft)
		if got := append([]string{s.job.Binary}, s.job.Args...); err != nil || !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, %v; expected %s", line, got, err, want)
		}
	}
	for line, want := range map[string]string{
		"nosuch": "there is no job nosuch", "-x counts": "unknown option -x", "-jid 12 counts": `"12"`, "-r 0 counts": "no number from 1",
		"--jars a,b": "one file", "-c /conf counts": "WEFT_CONF_DIR",
	} {
		if _, err := standaloneJobArgs(strings.Fields(line), weft); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", line, err, want)
		}
	}
	if err := os.Remove(counts); err != nil {
		t.Fatal(err)
	}
	if _, err := standaloneJobArgs(nil, weft); err == nil || !strings.Contains(err.Error(), "no job: name a job binary") {
		t.Errorf("nothing named: %v", err)
	}
}
