package jobbinary

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-project/weft/config"
)

func TestCheck(t *testing.T) {
	// The test binary is a Go program of this very module.
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if entry, err := Check(own, "job", Own()); err != nil || !strings.HasPrefix(entry, Module) {
		t.Errorf("own binary: main package %q, error %v", entry, err)
	}
	if _, err := Check(own, "job", config.Platform{OS: "linux", Arch: "s390x"}); err == nil || !strings.Contains(err.Error(), "job is built for") {
		t.Errorf("another platform: %v", err)
	}
	script := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"count.sh": "count.sh is a script", "count.jar": "count.jar is a .jar"} {
		if _, err := Check(script, name, Own()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
}
