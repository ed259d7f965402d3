package client

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/planproc"
	"github.com/weft-project/weft/yarnrpc"
)

// testClient is a client with a home and a temporary directory of its own.
func testClient(t *testing.T) (c *Client, out, err *bytes.Buffer) {
	t.Helper()
	out, err = &bytes.Buffer{}, &bytes.Buffer{}
	c = &Client{
		Config: config.New(), Console: NewConsole(out, err), Log: slog.New(slog.DiscardHandler), Home: t.TempDir(),
		Getenv: func(string) string { return "" }, Stdin: strings.NewReader(""), Version: "test",
	}
	c.Config.Set(config.File, config.PropertiesFileLocation.Key, t.TempDir(), "")
	return c, out, err
}

var app1 = yarnrpc.ApplicationID{ClusterTimestamp: 1700000000000, Number: 7}

func TestPropertiesFile(t *testing.T) {
	c, _, _ := testClient(t)
	if _, err := c.readProperties(); !errors.Is(err, errNoProperties) {
		t.Fatalf("without a file: %v", err)
	}
	want := properties{application: app1, dynamic: map[string]string{"a": "b=c", "path": `C:\x`, "umlaut": "ü#!", "sp": " x"}}
	if err := c.writeProperties(want); err != nil {
		t.Fatal(err)
	}
	got, err := c.readProperties()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	st, err := os.Stat(c.propertiesFile())
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	text, _ := os.ReadFile(c.propertiesFile())
	for _, line := range []string{"#Generated YARN properties file\n", "\napplicationID=application_1700000000000_0007\n", `dynamicPropertiesString=a\=b\=c@@`} {
		if !strings.Contains(string(text), line) {
			t.Errorf("the file %q does not contain %q", text, line)
		}
	}
}

// A file as Flink writes it.
func TestPropertiesFileOfFlink(t *testing.T) {
	c, _, _ := testClient(t)
	text := "#Generated YARN properties file\n#Mon Jan 01 00:00:00 UTC 2024\ndynamicPropertiesString=taskmanager.numberOfTaskSlots\\=2@@x\\=y\napplicationID=application_1700000000000_0007\n"
	if err := os.WriteFile(c.propertiesFile(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := c.readProperties()
	if err != nil || got.application != app1 || got.dynamic["taskmanager.numberOfTaskSlots"] != "2" || got.dynamic["x"] != "y" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.Chmod(c.propertiesFile(), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := c.readProperties(); err == nil || !strings.Contains(err.Error(), "others may write it") {
		t.Errorf("a file that others may write: %v", err)
	}
}

func TestDynamicPropertiesAreBelowTheCommandLine(t *testing.T) {
	c, _, _ := testClient(t)
	if err := c.writeProperties(properties{application: app1, dynamic: map[string]string{"parallelism.default": "3", "my.key": "saved"}}); err != nil {
		t.Fatal(err)
	}
	c.Config.Set(config.File, "my.key", "file", "")
	c.Config.Set(config.CommandLine, "parallelism.default", "5", "-p")
	c.UseProperties(Which{Application: "application_1_0001"})
	if v, _ := c.Config.Raw("my.key"); v != "file" {
		t.Errorf("another session was named, yet the file's settings hold: %s", v)
	}
	c.UseProperties(Which{})
	if v, _ := c.Config.Raw("my.key"); v != "saved" || config.Get(c.Config, config.DefaultParallelism) != 5 {
		t.Errorf("my.key %s, parallelism %d", v, config.Get(c.Config, config.DefaultParallelism))
	}
}

func TestRememberAndForget(t *testing.T) {
	c, _, _ := testClient(t)
	if err := c.remember(app1, "abc", "host:1"); err != nil {
		t.Fatal(err)
	}
	if err := c.writeProperties(properties{application: app1}); err != nil {
		t.Fatal(err)
	}
	if token, address := c.recall(app1); token != "abc" || address != "host:1" {
		t.Errorf("recalled %q, %q", token, address)
	}
	for _, name := range []string{tokenFile, addressFile} {
		if st, err := os.Stat(filepath.Join(c.appDir(app1), name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if got := c.remembered(); len(got) != 1 || got[0] != app1 {
		t.Errorf("remembered %v", got)
	}
	s, err := c.byAddress(t.Context(), "http://host:1/")
	if err != nil || s.token != "abc" || s.App != app1 {
		t.Errorf("by address: %+v, %v", s, err)
	}
	if err := c.forget(app1); err != nil {
		t.Fatal(err)
	}
	if len(c.remembered()) != 0 || exists(c.propertiesFile()) {
		t.Error("something is left")
	}
}

func TestDeployingLock(t *testing.T) {
	c, _, _ := testClient(t)
	if err := c.remember(app1, "abc", ""); err != nil {
		t.Fatal(err)
	}
	done, err := c.deploying(app1)
	if err != nil {
		t.Fatal(err)
	}
	if c.abandoned(app1) {
		t.Error("the client lives")
	}
	done()
	if c.abandoned(app1) {
		t.Error("announced, so not abandoned")
	}
	if err := os.WriteFile(filepath.Join(c.appDir(app1), deployingFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !c.abandoned(app1) {
		t.Error("nobody holds the lock")
	}
}

func TestHashIsRemembered(t *testing.T) {
	c, _, _ := testClient(t)
	p := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(p, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, n, err := c.hash(p)
	if err != nil || n != 3 {
		t.Fatal(n, err)
	}
	again, _, err := c.hash(p)
	if err != nil || again != first {
		t.Errorf("%s, %v", again, err)
	}
	if err := os.WriteFile(p, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, _, err := c.hash(p); err != nil || changed == first {
		t.Errorf("a changed file has the old hash: %v", err)
	}
}

func TestShipFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"data/a", "data/sub/b", "weft"} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := shipFiles([]string{filepath.Join(dir, "data")})
	want := map[string]string{"data/a": filepath.Join(dir, "data/a"), "data/sub/b": filepath.Join(dir, "data/sub/b")}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"missing", "weft"} {
		if _, err := shipFiles([]string{filepath.Join(dir, bad)}); err == nil {
			t.Errorf("ship %s: no error", bad)
		}
	}
}

func TestPassThroughKeepsTheTail(t *testing.T) {
	c, out, _ := testClient(t)
	tl := &planproc.Tail{}
	p := &passThrough{console: c.Console, tail: tl}
	for range 2000 {
		if _, err := io.WriteString(p, "0123456789\n"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(p, "no newline"); err != nil {
		t.Fatal(err)
	}
	p.Flush()
	if !strings.HasSuffix(out.String(), "9\nno newline") || out.Len() != 22010 {
		t.Errorf("%d bytes came through", out.Len())
	}
	if got := tl.String(); len(got) > planproc.TailBytes+8 || !strings.HasSuffix(got, "no newline") || !strings.HasPrefix(got, "…\n0123") {
		t.Errorf("tail of %d bytes: %.20q", len(got), got)
	}
}
