package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

func TestReport(t *testing.T) {
	env := stream.New()
	var announced []string
	day := func() time.Time { return time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC) }
	dir := t.TempDir()
	path, err := report(env, dir, day, func(path string) error {
		announced = append(announced, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	streamtest.Run(t, env)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 10 || !strings.HasPrefix(lines[0], "2026-03-01 ") || path != dir+"/2026-03-01" {
		t.Errorf("%s: %q", path, lines)
	}
	if len(announced) != 1 || announced[0] != path {
		t.Errorf("announced %q", announced)
	}
}

// What fails outside fails the program before anything runs.
func TestReportThatCannotBeAnnounced(t *testing.T) {
	_, err := report(stream.New(), t.TempDir(), time.Now, func(string) error { return errors.New("nobody listens") })
	if err == nil || !strings.Contains(err.Error(), `once "announce": nobody listens`) {
		t.Errorf("error %v", err)
	}
}
