package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// What passed is one line a package; of what failed everything is shown, and the closing line counts it.
func TestPrinter(t *testing.T) {
	var out bytes.Buffer
	total := &tally{}
	p := &printer{total: total, out: &out, output: map[string][]string{}}
	for _, l := range []string{
		`{"Action":"output","Package":"a","Test":"TestA","Output":"quiet\n"}`,
		`{"Action":"pass","Package":"a","Test":"TestA"}`,
		`{"Action":"output","Package":"a","Output":"ok  \ta\t1.0s\n"}`,
		`{"Action":"output","Package":"a","Output":"PASS\n"}`,
		`{"Action":"pass","Package":"a"}`,
		`{"Action":"output","Package":"b","Test":"TestB","Output":"loud\n"}`,
		`{"Action":"fail","Package":"b","Test":"TestB"}`,
		`{"Action":"output","Package":"b","Output":"FAIL\tb\t1.0s\n"}`,
		`{"Action":"fail","Package":"b"}`,
		`{"Action":"build-output","ImportPath":"c","Output":"c.go:1: bad\n"}`,
		`{"Action":"fail","Package":"c","FailedBuild":"c"}`,
		`{"Action":"skip","Package":"d"}`,
		`{"Action":"output","Package":"e","Test":"TestE","Output":"signal: killed\n"}`,
		`{"Action":"fail","Package":"e"}`,
		`not json`,
	} {
		p.line([]byte(l))
	}
	total.print(&out, 61*time.Second)
	want := "ok  \ta\t1.0s\nloud\nFAIL\tb\t1.0s\nc.go:1: bad\nsignal: killed\nnot json\n" +
		"FAILED b TestB\nFAILED b\nFAILED c\nFAILED e\nFAIL: 4 packages, 1 tests passed, 1 failed, 0 skipped in 1m1s\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nexpected\n%s", out.String(), want)
	}
	if !total.failed() {
		t.Error("not failed")
	}
}

// This package itself has no go statement, the cluster's has.
func TestConcurrentPackages(t *testing.T) {
	got, err := concurrentPackages(t.Context(), "../../...")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(got, " ") + " "
	if !strings.Contains(all, "/internal/devcluster ") || strings.Contains(all, "/internal/lint ") {
		t.Errorf("packages with goroutines and tests: %s", all)
	}
}
