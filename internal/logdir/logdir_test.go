package logdir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Only regular files of the directory are shown, whatever is asked for.
func TestOnlyLogFiles(t *testing.T) {
	above := t.TempDir()
	dir := filepath.Join(above, "log")
	err := os.Mkdir(dir, 0o700)
	for name, text := range map[string]string{"secret": "hush", "log/a.log": "0123456789", "log/a.out": "", "log/b.log": "b"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(above, name), []byte(text), 0o600))
	}
	err = errors.Join(err, os.Mkdir(filepath.Join(dir, "a.dir"), 0o700), os.Symlink("../secret", filepath.Join(dir, "a.link")),
		syscall.Mkfifo(filepath.Join(dir, "a.pipe"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	names := func(d Dir) string {
		files, err := d.List()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, f := range files {
			out = append(out, f.Name)
		}
		return strings.Join(out, " ")
	}
	all, own := Dir{Path: dir}, Dir{Path: dir, Prefix: "a."}
	if names(all) != "a.log a.out b.log" || names(own) != "a.log a.out" || names(Dir{}) != "" {
		t.Errorf("%s; %s", names(all), names(own))
	}
	for _, name := range []string{"", ".", "..", "../secret", "a.link", "a.dir", "a.pipe", "none", "/etc/passwd", "x\x00", `..\secret`, "./a.log"} {
		if piece, _, err := all.Read(name, 0, 100); !errors.Is(err, ErrMissing) {
			t.Errorf("%q: %q, %v", name, piece, err)
		}
	}
	if _, _, err := own.Open("b.log"); !errors.Is(err, ErrMissing) {
		t.Errorf("another process's file: %v", err)
	}
	if _, _, err := (Dir{Path: filepath.Join(above, "none")}).Open("a"); !errors.Is(err, ErrMissing) {
		t.Errorf("no directory: %v", err)
	}
	for _, c := range []struct {
		offset int64
		limit  int
		want   string
	}{{0, 4, "0123"}, {8, 4, "89"}, {10, 4, ""}, {1 << 40, 4, ""}, {-5, 2, "01"}, {3, 0, ""}, {3, -1, ""}} {
		piece, file, err := own.Read("a.log", c.offset, c.limit)
		if err != nil || string(piece) != c.want || file.Size != 10 || file.Modified.IsZero() {
			t.Errorf("%d bytes from %d: %q of %v, %v", c.limit, c.offset, piece, file, err)
		}
	}
}
