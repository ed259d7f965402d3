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

// Every package is tested; those with goroutines under the race detector, and without it only where that is needed.
func TestSplitPackages(t *testing.T) {
	got, err := splitPackages(t.Context(), "../../...")
	if err != nil {
		t.Fatal(err)
	}
	race, plain := strings.Join(got.race, " ")+" ", strings.Join(got.plain, " ")+" "
	for name, want := range map[string]struct{ race, plain bool }{
		"internal/lint":       {false, true},
		"internal/devcluster": {true, false},
		"network":             {true, true},
		"jobmanager":          {true, false},
		"cmd/weft":            {true, false},
		"id":                  {false, true},
	} {
		if strings.Contains(race, "/weft/"+name+" ") != want.race || strings.Contains(plain, "/weft/"+name+" ") != want.plain {
			t.Errorf("%s: expected %+v; race: %s; plain: %s", name, want, race, plain)
		}
	}
}
