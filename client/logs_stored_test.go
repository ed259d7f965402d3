package client

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/yarnrpc"
)

// storedClient is a client of a cluster whose logs are stored in a local directory.
func storedClient(t *testing.T) (show func(l Logs) (string, error), dir string) {
	t.Helper()
	root := t.TempDir()
	app := yarnrpc.ApplicationID{ClusterTimestamp: 1795288184518, Number: 1}
	dir = filepath.Join(root, "ada", "bucket-logs-tfile", "0001", app.String())
	show = func(l Logs) (string, error) {
		c, out, _ := testClient(t)
		c.hadoop = hadoopconf.New(nil)
		c.hadoop.Set("yarn.nodemanager.remote-app-log-dir", "file://"+root)
		c.stores = fs.NewRegistry()
		c.stores.Register("file", local.Factory)
		err := (&logShow{client: c, user: "ada", logs: l}).stored(t.Context(), app)
		return out.String(), err
	}
	return show, dir
}

// put stores a file as a node does.
func put(t *testing.T, dir, name, from string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "internal", "hadoop", "aggregatedlogs", "testdata", from))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, name), b, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestStoredLogs(t *testing.T) {
	show, dir := storedClient(t)
	if _, err := show(Logs{}); err == nil || !strings.Contains(err.Error(), "YARN has stored none in file://") || !strings.Contains(err.Error(), "-appOwner ada") {
		t.Errorf("before: %v", err)
	}
	put(t, dir, "node_1_8041", "ifile-gz")
	put(t, dir, "node2_8041_1795288190000", "tfile-gz")
	put(t, dir, "node3_8041.tmp", "tfile-gz")
	const first, other = "container_1795288184518_0001_01_000001", "container_1795288153569_0001_01_000001"
	out, err := show(Logs{File: "main.out"})
	want := "==> " + other + " on node2:8041: main.out (52 bytes) <==\nmain runs in " + other + "\n\n==> " + first + " on node_1:8041: main.out (52 bytes) <==\nmain runs in " + first + "\n\n"
	if err != nil || out != want {
		t.Errorf("got\n%s\n%v, want\n%s", out, err, want)
	}
	out, err = show(Logs{Names: true, Container: first})
	if err != nil || strings.Count(out, "\n") != 9 || !strings.Contains(out, first+" node_1:8041 jobmanager.log (2643 bytes)\n") {
		t.Errorf("names: %v\n%s", err, out)
	}
	if _, err := show(Logs{File: "nosuch"}); err == nil || !strings.Contains(err.Error(), "is asked for") {
		t.Errorf("nothing asked for: %v", err)
	}
	// One that can not be read hides no other.
	put(t, dir, "node4_8041", "../doc.go")
	if out, err = show(Logs{File: "main.out"}); err == nil || !strings.Contains(err.Error(), "node4_8041: the stored logs are damaged") || !strings.Contains(out, "main runs in") {
		t.Errorf("a damaged one: %v\n%s", err, out)
	}
	if err := os.Mkdir(filepath.Join(dir, "application_1795288184518_0001.har"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err = show(Logs{}); err == nil || !strings.Contains(err.Error(), "a Hadoop archive, which is not read here") {
		t.Errorf("an archive: %v", err)
	}
}
