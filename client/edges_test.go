package client

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/config"
)

// A main that has left a process behind, which keeps its output open, has ended well all the same.
func TestMainLeavesAProcessBehind(t *testing.T) {
	c, _, _ := testClient(t)
	p, err := c.startPlan("/bin/sh", []string{"-c", "sleep 30 & exit 0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(-p.PID(), syscall.SIGKILL) }() // the sleep
	defer p.End()
	if err := p.Wait(t.Context()); err != nil {
		t.Errorf("main's end: %v", err)
	}
}

// A main that speaks no protocol, or only half a message, is refused and leaves nothing behind.
func TestMainThatSaysGarbage(t *testing.T) {
	for text, want := range map[string]string{`\377\377\377\377garbage`: "the limit is", `\000\000\000\100half`: "cut short", `\000\000\000\004\377\377\377\377`: "proto"} {
		c, _, _ := testClient(t)
		p, err := c.startPlan("/bin/sh", []string{"-c", "printf '" + text + "' >&3; exec 3>&-; sleep 30"})
		if err != nil {
			t.Fatal(err)
		}
		g, err := p.next(t.Context(), time.Minute)
		if err == nil || g != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", text, g, err)
		}
		p.End()
	}
}

// A pipe in the place of the properties file, which anybody can put into /tmp, holds no command up.
func TestPropertiesFileIsAPipe(t *testing.T) {
	c, _, _ := testClient(t)
	if err := syscall.Mkfifo(c.propertiesFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := c.readProperties()
		read <- err
	}()
	select {
	case err := <-read:
		if err == nil || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("read: %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("still waiting for somebody to write into the pipe")
	}
}

// A link to a directory is shipped as that directory; what can not be shipped is not left out silently.
func TestShipLinkedDirectory(t *testing.T) {
	top := t.TempDir()
	for _, name := range []string{"real/a.txt", "real/sub/b.txt", "other/c.txt"} {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(top, "lib")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	files, err := shipFiles([]string{link})
	if want := []string{"lib/a.txt", "lib/sub/b.txt"}; err != nil || !slices.Equal(slices.Sorted(maps.Keys(files)), want) {
		t.Errorf("shipped %v, %v; want %v", files, err, want)
	}
	if err := os.Symlink("../other", filepath.Join(top, "real", "inner")); err != nil {
		t.Fatal(err)
	}
	if files, err = shipFiles([]string{link}); err == nil || !strings.Contains(err.Error(), "inner is a link to a directory") {
		t.Errorf("shipped %v, %v", files, err)
	}
}

// A package may be called as what the build puts beside it.
func TestBuildOfAPackageCalledSrc(t *testing.T) {
	c, _, _ := testClient(t)
	sdk, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	c.Getenv = func(name string) string { return map[string]string{"WEFT_SDK_DIR": sdk}[name] }
	c.Config.Set(config.File, config.ClusterPlatform.Key, clientPlatform().String(), "")
	dir := filepath.Join(t.TempDir(), "src")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	main := "package main\n\nimport \"github.com/weft-project/weft/stream\"\n\nfunc main() { _ = stream.New }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := c.prepareJob(t.Context(), dir, "", true)
	if err != nil {
		t.Fatal(err)
	}
	b.close()
}

// A client that starts an application, or has just started it, is never taken for dead: its session would be killed.
func TestLiveClientIsNotAbandoned(t *testing.T) {
	c, _, _ := testClient(t)
	if err := c.remember(app1, "00", ""); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		wrong := 0
		for {
			select {
			case <-stop:
				stopped <- wrong
				return
			default:
				if c.abandoned(app1) {
					wrong++
				}
			}
		}
	}()
	failed := 0
	for range 20000 {
		end, err := c.deploying(app1)
		if err != nil {
			failed++
			continue
		}
		end()
	}
	close(stop)
	if wrong := <-stopped; wrong+failed > 0 {
		t.Errorf("taken for dead %d times, could not start %d times", wrong, failed)
	}
	end, err := c.deploying(app1)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if c.abandoned(app1) {
		t.Error("abandoned while it is being deployed")
	}
}

// The mark of a client that has died says so.
func TestDeadClientIsAbandoned(t *testing.T) {
	c, _, _ := testClient(t)
	if err := c.remember(app1, "00", ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.appDir(app1), deployingFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !c.abandoned(app1) {
		t.Error("a mark that nobody holds is not noticed")
	}
}
