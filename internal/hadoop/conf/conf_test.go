package hadoopconf

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// env makes an environment of pairs.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func write(t *testing.T, dir, name, body string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}

// doc makes a configuration document of pairs; a value ending in "!" is final.
func doc(pairs ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="configuration.xsl"?><configuration xmlns:xi="http://www.w3.org/2001/XInclude">`)
	for i := 0; i < len(pairs); i += 2 {
		v, final := strings.CutSuffix(pairs[i+1], "!")
		b.WriteString("<property><name> " + pairs[i] + "\n</name><!-- why --><value>" + v + "</value>")
		if final {
			b.WriteString("<final>true</final>")
		}
		b.WriteString("<description>d</description></property>")
	}
	b.WriteString("</configuration>")
	return b.String()
}

func parse(t *testing.T, getenv func(string) string, body string) *Conf {
	t.Helper()
	c, err := ParseXML(getenv, "test.xml", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExpansion(t *testing.T) {
	c := parse(t, env("H", "node7", "USER", "ann"), doc(
		"a", "${b}/x", "b", "<![CDATA[${c}]]>", "c", "end",
		"env", "${env.H}:1", "envdef", "${env.NONE:-fallback}", "envdef2", "${env.NONE-other}", "envmiss", "${env.NONE}",
		"nested", "${${which}}", "which", "c",
		"loop", "${loop}", "loop1", "${loop2}", "loop2", "${loop1}",
		"user", "/user/${user.name}", "open", "${c", "two", "${c}-${c}-${unknown}", "space", "${not a name}",
		"yarn.resourcemanager.hostname", "rm.example",
	))
	for key, want := range map[string]string{
		"a": "end/x", "env": "node7:1", "envdef": "fallback", "envdef2": "other", "envmiss": "${env.NONE}", "nested": "end",
		"user": "/user/ann", "open": "${c", "two": "end-end-${unknown}", "space": "${not a name}",
		"yarn.resourcemanager.address": "rm.example:8032", "yarn.resourcemanager.scheduler.address": "rm.example:8030",
		"fs.defaultFS": "file:///", "absent": "",
	} {
		if got := c.Get(key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	for _, key := range []string{"loop", "loop1", "loop2"} {
		if got := c.Get(key); !strings.Contains(got, "${") {
			t.Errorf("%s = %q, want it to stay unexpanded", key, got)
		}
	}
}

func TestFinalAndOrder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "core-site.xml", doc("k", "core!", "o", "core", "fs.default.name", "hdfs://nn:9000"))
	write(t, dir, "yarn-site.xml", doc("k", "yarn", "o", "yarn"))
	c, err := LoadDirs(env(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.Get("k") != "core" || c.Get("o") != "yarn" || c.Get("fs.defaultFS") != "hdfs://nn:9000" || c.Get("fs.default.name") != "hdfs://nn:9000" {
		t.Errorf("k=%q o=%q fs=%q", c.Get("k"), c.Get("o"), c.Get("fs.defaultFS"))
	}
	if c.Source("o") != filepath.Join(dir, "yarn-site.xml") || len(c.Files()) != 2 {
		t.Errorf("source %q files %v", c.Source("o"), c.Files())
	}
	c.Set("k", "program")
	if c.Get("k") != "program" {
		t.Errorf("Set does not win over final: %q", c.Get("k"))
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "more.xml", doc("inc", "1"))
	write(t, dir, "core-site.xml", `<configuration xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="more.xml"/>
		<xi:include href="none.xml"><xi:fallback><property name="fb" value="2"/></xi:fallback></xi:include></configuration>`)
	c, err := LoadDirs(env(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.Get("inc") != "1" || c.Get("fb") != "2" {
		t.Errorf("inc=%q fb=%q", c.Get("inc"), c.Get("fb"))
	}
	write(t, dir, "core-site.xml", `<configuration><xi:include href="none.xml" xmlns:xi="x"/></configuration>`)
	if _, err := LoadDirs(env(), dir); err == nil || !strings.Contains(err.Error(), "none.xml does not exist") {
		t.Errorf("missing include: %v", err)
	}
	write(t, dir, "core-site.xml", `<configuration><xi:include href="core-site.xml" xmlns:xi="x"/></configuration>`)
	if _, err := LoadDirs(env(), dir); err == nil || !strings.Contains(err.Error(), "include itself") {
		t.Errorf("include loop: %v", err)
	}
}

func TestLoadSearch(t *testing.T) {
	one, two, home := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, one, "core-site.xml", doc("w", "one"))
	write(t, two, "core-site.xml", doc("w", "two"))
	write(t, two, "yarn-site.xml", doc("y", "two"))
	if err := os.MkdirAll(filepath.Join(home, "etc/hadoop"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, "etc/hadoop"), "core-site.xml", doc("w", "home"))

	c, err := Load(env("HADOOP_CONF_DIR", one, "YARN_CONF_DIR", two, "HADOOP_HOME", home))
	if err != nil || c.Get("w") != "one" || c.Get("y") != "two" {
		t.Errorf("both: %v %q %q", err, c.Get("w"), c.Get("y"))
	}
	if c, err = Load(env("HADOOP_HOME", home)); err != nil || c.Get("w") != "home" {
		t.Errorf("home: %v", err)
	}
	_, err = Load(env("HADOOP_CONF_DIR", t.TempDir(), "HADOOP_HOME", home))
	if !errors.Is(err, ErrNoConfiguration) || !strings.Contains(err.Error(), "HADOOP_CONF_DIR is ") {
		t.Errorf("named but empty: %v", err)
	}
	if _, err := os.Stat("/etc/hadoop"); err != nil {
		_, err = Load(env())
		if !errors.Is(err, ErrNoConfiguration) || !strings.Contains(err.Error(), "set HADOOP_CONF_DIR") {
			t.Errorf("nothing: %v", err)
		}
	}
}

func TestValues(t *testing.T) {
	c := parse(t, env(), doc("i", " 0x10 ", "n", "-7", "bad", "x1", "s", "10s", "d", "2d", "plain", "1500", "ms", "5ms",
		"size", "64m", "huge", "9999999999d", "b", "TRUE", "list", "a, b,,c", "f", "2.1"))
	if i, err := c.GetInt("i", 1); i != 16 || err != nil {
		t.Error(i, err)
	}
	if i, err := c.GetInt("n", 1); i != -7 || err != nil {
		t.Error(i, err)
	}
	if i, err := c.GetInt("none", 3); i != 3 || err != nil {
		t.Error(i, err)
	}
	if _, err := c.GetInt("bad", 3); err == nil || !strings.Contains(err.Error(), `bad is "x1" (test.xml), expected an integer`) {
		t.Error(err)
	}
	for key, want := range map[string]time.Duration{"s": 10 * time.Second, "d": 48 * time.Hour, "plain": 1500 * time.Millisecond,
		"ms": 5 * time.Millisecond, "none": time.Hour, "huge": 1<<63 - 1} {
		if d, err := c.GetDuration(key, time.Hour, time.Millisecond); d != want || err != nil {
			t.Errorf("%s: %v %v", key, d, err)
		}
	}
	if n, err := c.GetSize("size", 0); n != 64<<20 || err != nil {
		t.Error(n, err)
	}
	if f, err := c.GetFloat("f", 0); f != 2.1 || err != nil {
		t.Error(f, err)
	}
	if !c.GetBool("b", false) || c.GetBool("s", false) || !c.GetBool("s", true) {
		t.Error("bool")
	}
	if l := c.GetStrings("list"); len(l) != 3 || l[1] != "b" {
		t.Error(l)
	}
}

func TestWriteXMLRoundTrip(t *testing.T) {
	c := parse(t, env("A", "1"), doc("x", "&lt;${env.A}&gt; &amp; more", "y", "${env.B}", "fs.defaultFS", "hdfs://n:1"))
	c.Set("z", "line\nbreak")
	var buf bytes.Buffer
	if err := c.WriteXML(&buf); err != nil {
		t.Fatal(err)
	}
	back := parse(t, env("A", "other"), buf.String())
	for key, want := range map[string]string{"x": "<1> & more", "y": "${env.B}", "z": "line\nbreak", "fs.defaultFS": "hdfs://n:1"} {
		if got := back.Get(key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
}

func TestResourceManagers(t *testing.T) {
	c := parse(t, env(), doc("yarn.resourcemanager.hostname", "h"))
	rms, err := c.ResourceManagers()
	if err != nil || len(rms) != 1 || rms[0] != (ResourceManager{"", "h:8032", "h:8030", "h:8088"}) {
		t.Errorf("%+v %v", rms, err)
	}
	c = parse(t, env(), doc("yarn.resourcemanager.ha.enabled", "true", "yarn.resourcemanager.ha.rm-ids", "rm1,rm2",
		"yarn.resourcemanager.hostname.rm1", "a", "yarn.resourcemanager.address.rm1", "a:1", "yarn.resourcemanager.hostname.rm2", "b"))
	rms, err = c.ResourceManagers()
	if err != nil || len(rms) != 2 || rms[0].Client != "a:1" || rms[0].Scheduler != "a:8030" || rms[1].Client != "b:8032" {
		t.Errorf("%+v %v", rms, err)
	}
	c.Set("yarn.resourcemanager.ha.rm-ids", "rm3")
	if _, err = c.ResourceManagers(); err == nil || !strings.Contains(err.Error(), "rm3") {
		t.Error(err)
	}
}

func TestNameNodes(t *testing.T) {
	c := parse(t, env(), doc("dfs.nameservices", "ns", "dfs.ha.namenodes.ns", "n1,n2",
		"dfs.namenode.rpc-address.ns.n1", "a:9000", "dfs.namenode.rpc-address.ns.n2", "b"))
	if a, l, err := c.NameNodes("ns"); err != nil || !l || strings.Join(a, " ") != "a:9000 b:8020" {
		t.Error(a, l, err)
	}
	if a, l, err := c.NameNodes("host"); err != nil || l || a[0] != "host:8020" {
		t.Error(a, l, err)
	}
	if a, l, err := c.NameNodes("host:99"); err != nil || l || a[0] != "host:99" {
		t.Error(a, l, err)
	}
	if _, _, err := c.NameNodes(""); err == nil {
		t.Error("empty authority accepted")
	}
}

func TestBadDocuments(t *testing.T) {
	for _, body := range []string{"<configuration>", "<other/>", "text", `<?xml version="1.0" encoding="EBCDIC"?><configuration/>`} {
		if _, err := ParseXML(env(), "bad.xml", strings.NewReader(body)); err == nil || !strings.Contains(err.Error(), "bad.xml") {
			t.Errorf("%q: %v", body, err)
		}
	}
	if _, err := ParseXML(env(), "empty.xml", strings.NewReader(" ")); err != nil {
		t.Error(err)
	}
}

func FuzzParseXML(f *testing.F) {
	f.Add(doc("a", "${b}", "b", "${a}"))
	f.Add(doc("a", "${${a}}"))
	f.Fuzz(func(t *testing.T, body string) {
		c, err := ParseXML(env(), "f", strings.NewReader(body))
		if err != nil {
			return
		}
		for _, k := range c.Keys() {
			_ = c.Get(k)
		}
		if err := c.WriteXML(&bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
	})
}
