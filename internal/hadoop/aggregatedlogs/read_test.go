package aggregatedlogs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stored are files that NodeManagers of Hadoop 3.4.2 have stored; all but what jobs wrote is blanked out.
func stored(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// all reads everything: the text of each file by "container name".
func all(data []byte) (map[string]string, error) {
	out := map[string]string{}
	err := Read(bytes.NewReader(data), int64(len(data)), func(f File, content io.Reader) error {
		b, err := io.ReadAll(io.LimitReader(content, 1<<20))
		if err == nil && int64(len(b)) != f.Size {
			err = fmt.Errorf("%s has %d bytes, %d are said", f.Name, len(b), f.Size)
		}
		out[f.Container+" "+f.Name] = string(b)
		return err
	})
	return out, err
}

func TestRead(t *testing.T) {
	for name, app := range map[string]string{"tfile-none": "1795288111855_0001", "tfile-gz": "1795288153569_0001", "ifile-gz": "1795288184518_0001"} {
		got, err := all(stored(t, name))
		if err != nil || len(got) != 25 {
			t.Fatalf("%s: %d files, %v", name, len(got), err)
		}
		master := "container_" + app + "_01_000001"
		if text, want := got[master+" main.out"], "main runs in "+master+"\n"; text != want {
			t.Errorf("%s: main.out is %q, expected %q", name, text, want)
		}
		if text := got[strings.Replace(master, "01_000001", "01_000003", 1)+" launch_container.sh"]; len(text) < 6000 || strings.Trim(text, "x") != "" {
			t.Errorf("%s: a file of %d bytes: %.80q", name, len(text), text)
		}
	}
}

// Content that nobody reads is passed over, and an error of the visitor is given back.
func TestReadNamesOnly(t *testing.T) {
	stop := errors.New("stop")
	for _, name := range []string{"tfile-none", "tfile-gz", "ifile-gz"} {
		data := stored(t, name)
		n := 0
		if err := Read(bytes.NewReader(data), int64(len(data)), func(File, io.Reader) error { n++; return nil }); err != nil || n != 25 {
			t.Errorf("%s: %d files, %v", name, n, err)
		}
		if err := Read(bytes.NewReader(data), int64(len(data)), func(File, io.Reader) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is cut off or changed is an error that says so, never more.
func TestReadDamaged(t *testing.T) {
	for _, name := range []string{"tfile-none", "tfile-gz", "ifile-gz"} {
		data := stored(t, name)
		for _, n := range []int{0, 1, 40, 100, len(data) / 2, len(data) - 1} {
			if _, err := all(data[:n]); err == nil {
				t.Errorf("%s: the first %d bytes are read without an error", name, n)
			}
		}
	}
	lzo := bytes.ReplaceAll(stored(t, "tfile-none"), []byte("\x04none"), []byte("\x03lzo\x00"))
	if _, err := all(lzo); err == nil {
		t.Error("lzo is read")
	}
	if _, err := (region{0, 4, 4}).open(bytes.NewReader(lzo), int64(len(lzo)), "lzo"); err == nil || !strings.Contains(err.Error(), "compressed with lzo") {
		t.Errorf("lzo: %v", err)
	}
}

func TestVLong(t *testing.T) {
	for want, b := range map[int64][]byte{
		0: {0}, 127: {127}, -32: {0xe0}, 128: {0xcc, 128}, -33: {0xcb, 0xdf}, 5119: {0xdf, 0xff}, 5120: {0xa8, 0x14, 0}, 1 << 20: {0x90, 0x10, 0, 0},
		-1 << 20: {0x98, 0, 0}, 1 << 26: {0x94, 0, 0, 0}, 1 << 30: {0x83, 0x40, 0, 0, 0}, -1 << 31: {0x83, 0x80, 0, 0, 0},
		1 << 39: {0x85, 0, 0x80, 0, 0, 0, 0}, -1 << 63: {0x87, 0x80, 0, 0, 0, 0, 0, 0, 0},
	} {
		if got, err := newInput(bytes.NewReader(b)).vlong(); err != nil || got != want {
			t.Errorf("% x: %d, %v; expected %d", b, got, err, want)
		}
	}
	if _, err := newInput(bytes.NewReader([]byte{0x80, 0, 0, 0, 0})).vlong(); !errors.Is(err, errDamaged) {
		t.Errorf("no number: %v", err)
	}
}

// A value may come in several chunks.
func TestChunks(t *testing.T) {
	b, err := io.ReadAll(&chunks{in: newInput(strings.NewReader("\xfdabc\xffd\x02ef\x05rest"))})
	if err != nil || string(b) != "abcdef" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := io.ReadAll(&chunks{in: newInput(strings.NewReader("\xfdab"))}); !errors.Is(err, errDamaged) {
		t.Errorf("cut off: %v", err)
	}
}

func TestDirs(t *testing.T) {
	dirs := func(conf map[string]string) []string {
		return Dirs(func(k string) string { return conf[k] }, "ada", "application_1_0012", 12)
	}
	for i, x := range []struct {
		conf map[string]string
		want []string
	}{
		{nil, []string{"/tmp/logs/ada/bucket-logs-tfile/0012/application_1_0012", "/tmp/logs/ada/logs-tfile/application_1_0012", "/tmp/logs/ada/logs/application_1_0012"}},
		{map[string]string{"yarn.nodemanager.remote-app-log-dir": "hdfs://nn/logs/", "yarn.nodemanager.remote-app-log-dir-suffix": "l", "yarn.log-aggregation.file-formats": "IFile, TFile",
			"yarn.log-aggregation.IFile.remote-app-log-dir": "/ifiles", "yarn.log-aggregation.TFile.remote-app-log-dir-suffix": "t"},
			[]string{"/ifiles/ada/bucket-l-ifile/0012/application_1_0012", "/ifiles/ada/l-ifile/application_1_0012", "hdfs://nn/logs/ada/bucket-t/0012/application_1_0012",
				"hdfs://nn/logs/ada/t/application_1_0012", "hdfs://nn/logs/ada/l/application_1_0012"}},
	} {
		if got := dirs(x.conf); !slices.Equal(got, x.want) {
			t.Errorf("%d: %q, expected %q", i, got, x.want)
		}
	}
	for name, want := range map[string]bool{"node1_8041": true, "node1_8041_1700000000000": true, "node1_8041.tmp": false, "node1_8041-checksum": false, "application_1_0012.har": false} {
		if Stored(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"tfile-none", "tfile-gz", "ifile-gz"} {
		f.Add(stored(f, name))
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = all(data) // an error is as good as any; what counts is that it ends
	})
}

func FuzzIndex(f *testing.F) {
	data := stored(f, "ifile-gz")
	if i := bytes.Index(data, []byte{0xac, 0xed, 0, 5}); i >= 0 {
		f.Add(data[i : len(data)-digest-4])
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = decodeJava(data) // an error is as good as any; what counts is that it ends
	})
}
