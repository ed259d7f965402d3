//go:build realhadoop

package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/devcluster"
)

// What is encrypted or erasure coded at rest is refused in one sentence, wherever it is met: reading it as it lies on the
// DataNodes would give other bytes, and writing it plain would break the promise of the zone.
func TestStorageRefused(t *testing.T) {
	t.Parallel()
	// The NameNode looks at its key store once: the key is there before it starts.
	keys := "jceks://file" + filepath.Join(t.TempDir(), "keys.jceks")
	if out, err := devcluster.Shared(t).Java(t.Context(), "org.apache.hadoop.crypto.key.KeyShell", "create", "k", "-provider", keys); err != nil {
		t.Fatalf("make a key: %v\n%s", err, out)
	}
	c := devcluster.Private(t, devcluster.Options{NodeManagers: 1, DataNodes: 2, Conf: map[string]map[string]string{
		"core-site.xml": {"hadoop.security.key.provider.path": keys}}})
	u := newUserOf(t, c)
	u.mkdir("zone")
	u.mkdir("coded")
	local := filepath.Join(t.TempDir(), "in.txt")
	if err := os.WriteFile(local, []byte(text(100, 21)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"org.apache.hadoop.hdfs.tools.CryptoAdmin", "-createZone", "-keyName", "k", "-path", u.hdfs + "/zone"},
		{"org.apache.hadoop.hdfs.tools.ECAdmin", "-enablePolicy", "-policy", "XOR-2-1-1024k"},
		{"org.apache.hadoop.hdfs.tools.ECAdmin", "-setPolicy", "-path", u.hdfs + "/coded", "-policy", "XOR-2-1-1024k"},
		{"org.apache.hadoop.fs.FsShell", "-put", local, u.hdfs + "/zone/in.txt"},
		{"org.apache.hadoop.fs.FsShell", "-put", local, u.hdfs + "/coded/in.txt"},
	} {
		if out, err := c.Java(t.Context(), command[0], command[1:]...); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	sentence(t, u.fails(2, []string{"encryption zone", "yarn.staging-directory"}, "yarn-session.sh", "-d", "-jm", "768", "-tm", "1024",
		"-D", "yarn.staging-directory="+u.out("zone")))
	u.nothingLeft()

	plain := u.put("in.txt", text(10, 22))
	u.session("-jm", "768", "-tm", "1024")
	for _, run := range []struct{ what, input, output string }{
		{"encryption zone", u.out("zone/in.txt"), u.out("counts")},
		{"encryption zone", u.out("zone"), u.out("counts")},
		{"encryption zone", plain, u.out("zone/counts")},
		{"erasure", u.out("coded/in.txt"), u.out("counts")},
		{"erasure", plain, u.out("coded/counts")},
	} {
		r := u.do("weft", "run", u.example("wordcount"), "-input", run.input, "-output", run.output)
		if r.code == 0 || !strings.Contains(r.stderr, run.what) || strings.Contains(r.stderr, "goroutine ") {
			t.Errorf("from %s to %s: %s", run.input, run.output, r)
		}
		u.absent(run.output)
	}
}
