//go:build realhadoop

package acceptance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-project/weft/client/doctor"
)

// withConf gives the user's environment a Hadoop configuration in which texts are replaced, old and new in turn.
func (u *user) withConf(replacements ...string) func() {
	u.t.Helper()
	dir := u.t.TempDir()
	for _, name := range []string{"core-site.xml", "hdfs-site.xml", "yarn-site.xml"} {
		b, err := os.ReadFile(filepath.Join(u.c.ConfDir(), name))
		if err != nil {
			u.t.Fatal(err)
		}
		text := strings.NewReplacer(replacements...).Replace(string(b))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			u.t.Fatal(err)
		}
	}
	before := u.env
	u.env = append(slices.Clone(before), "HADOOP_CONF_DIR="+dir)
	return func() { u.env = before }
}

// On a cluster where all is well doctor says so, of each thing that a job needs.
func TestDoctor(t *testing.T) {
	u := newUser(t)
	r := u.ok("weft", "doctor", "-jm", "768", "-tm", "1024", "-s", "2")
	for _, check := range []string{"configuration", "names", "ports", "login", "ResourceManager", "NameNode", "clock", "versions", "nodes", "NodeManager",
		"virtual memory", "queue", "quota", "groups", "home directory"} {
		if !strings.Contains(r.stdout, "\nok       "+check+" ") && !strings.HasPrefix(r.stdout, "ok       "+check+" ") {
			t.Errorf("%s is not ok in\n%s", check, r.stdout)
		}
	}
	for _, text := range []string{"SIMPLE, without protection", "TOKEN DIGEST-MD5", "Hadoop: ResourceManager " + u.c.Version(), u.hdfs + " exists", "may submit to default", "a TaskManager of 1024 MB with 2 slots on 2"} {
		if !strings.Contains(r.stdout, text) {
			t.Errorf("%q is not in\n%s", text, r.stdout)
		}
	}
	if left, err := u.c.List(t.Context(), u.hdfs); err != nil || len(left) != 0 {
		t.Errorf("left behind in the home directory: %v, %v", left, err)
	}
	var report doctor.Report
	if r := u.ok("weft", "doctor", "--json"); json.Unmarshal([]byte(r.stdout), &report) != nil || report.Status != doctor.OK || len(report.Findings) < 15 || report.Problems != 0 {
		t.Errorf("as JSON: %s", r)
	}
}

// What is wrong is named with what to do, and decides the exit code.
func TestDoctorFindsProblems(t *testing.T) {
	u := newUser(t)
	stranger := *u
	stranger.env = append(slices.Clone(u.env), "HADOOP_USER_NAME=nobody-has-made-me-a-home")
	stranger.fails(1, []string{"problem  home directory", "/user/nobody-has-made-me-a-home does not exist", "hdfs dfs -chown"}, "weft", "doctor")
	u.fails(1, []string{"problem  home directory", "permission"}, "weft", "doctor", "-D", "yarn.staging-directory=/user")
	u.fails(2, []string{"problem  queue", `queue "nosuch"`, "-qu"}, "weft", "doctor", "-qu", "nosuch")
	u.fails(2, []string{"problem  queue", "queues below it"}, "weft", "doctor", "-qu", "root")
	u.fails(2, []string{"problem  nodes", "a TaskManager needs", "-tm"}, "weft", "doctor", "-tm", "999999")
	stranger.env = append(slices.Clone(u.env), "HADOOP_CONF_DIR="+t.TempDir())
	stranger.fails(2, []string{"problem  configuration", "no hadoop configuration found"}, "weft", "doctor")
	report := u.fails(2, []string{`"status": "problem"`, `"check": "queue"`}, "weft", "doctor", "--json", "-qu", "nosuch")
	if strings.Contains(report.stdout, "Error:") {
		t.Errorf("more than a document on standard output: %s", report.stdout)
	}

	// The port of the web pages in the place of that for RPC.
	restore := u.withConf(">"+u.c.ResourceManager()+"<", ">"+u.c.RMWeb()+"<")
	u.fails(2, []string{"problem  ResourceManager", "does not speak Hadoop RPC", "ok       home directory"}, "weft", "doctor")
	restore()
	// Nobody listens there: the ResourceManager's, then the NameNode's port.
	restore = u.withConf(">"+u.c.ResourceManager()+"<", ">localhost:1<")
	u.fails(3, []string{"problem  ResourceManager", "localhost:1 does not answer", "ok       NameNode", "warning  nodes", "ok       home directory", "1 problem"}, "weft", "doctor")
	restore()
	restore = u.withConf("hdfs://"+u.c.NameNode()+"<", "hdfs://localhost:1<")
	u.fails(3, []string{"problem  NameNode", "localhost:1 does not answer", "ok       queue", "warning  home directory", "1 problem"}, "weft", "doctor")
	restore()
	// A cluster without Kerberos that this machine believes to have one: nobody is logged in.
	restore = u.withConf("</configuration>", "<property><name>hadoop.security.authentication</name><value>kerberos</value></property></configuration>")
	krb5 := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(krb5, []byte("[libdefaults]\n default_realm = EXAMPLE.ORG\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	u.env = append(u.env, "KRB5_CONFIG="+krb5, "KRB5CCNAME=FILE:"+krb5+".cache")
	u.fails(2, []string{"problem  login", "@EXAMPLE.ORG", "run kinit"}, "weft", "doctor")
	restore()
}
