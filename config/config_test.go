package config

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestDeclarations(t *testing.T) {
	seen := map[string]string{}
	for _, d := range table {
		if d.Default != "" {
			if err := d.check(d.Default); err != nil {
				t.Errorf("%s: default: %v", d.Key, err)
			}
		}
		if !strings.HasSuffix(d.Doc, ".") {
			t.Errorf("%s: doc %q is no sentence", d.Key, d.Doc)
		}
		for _, k := range append([]string{d.Key}, aliasKeys(d)...) {
			if other, ok := seen[k]; ok {
				t.Errorf("%s is declared by %s and %s", k, other, d.Key)
			}
			seen[k] = d.Key
		}
	}
}

func aliasKeys(d *Definition) (keys []string) {
	for _, a := range d.Aliases {
		keys = append(keys, a.Key)
	}
	return keys
}

func TestParseMemory(t *testing.T) {
	for text, want := range map[string]MemorySize{
		"1024m": GiB, "1 gb": GiB, "2G": 2 * GiB, "512": 512, "32 kb": 32 * KiB, "1 tebibytes": TiB, " 7 bytes ": 7, "1MB": MiB,
	} {
		if got, err := ParseMemory(text); err != nil || got != want {
			t.Errorf("ParseMemory(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "m", "1.5g", "-1m", "1 mib", "1m2", "9999999999999t"} {
		if got, err := ParseMemory(text); err == nil {
			t.Errorf("ParseMemory(%q) = %d, want an error", text, got)
		}
	}
	if s := (1600 * MiB).String(); s != "1600m" {
		t.Errorf("String() = %s", s)
	}
	if mb := (GiB + 1).MB(); mb != 1025 {
		t.Errorf("MB() = %d", mb)
	}
}

// A process's memory without a unit is bytes, as in Flink; hardly anybody means them.
func TestProcessMemory(t *testing.T) {
	for text, want := range map[string]string{"600": `"600" is 600 bytes, too little for a process; write 600m`, "512 k": "write 512m", "1048576": "", "600m": "", "x": "not a memory size"} {
		c := New()
		c.Set(File, TaskManagerMemory.Key, text, "f")
		err := c.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, expected %q", text, err, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10 s": 10 * time.Second, "10s": 10 * time.Second, "PT10S": 10 * time.Second, "500": 500 * time.Millisecond, "5min": 5 * time.Minute,
		"2 m": 2 * time.Minute, "1 d": 24 * time.Hour, "3 µs": 3 * time.Microsecond, "7ns": 7, "PT0.5S": 500 * time.Millisecond,
		"P1DT2H": 26 * time.Hour, "pt1m30s": 90 * time.Second, "1 HOUR": time.Hour, "9999999999 days": math.MaxInt64,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "1.5 s", "-1 s", "1 fortnight", "P", "PT", "PTS", "PT1S1M", "P1H"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}

func TestDurationOrNone(t *testing.T) {
	for text, want := range map[string]time.Duration{"-1": -1, " -1 ms ": -1, "-1ms": -1, "0": 0, "2 s": 2 * time.Second} {
		if got, err := parseDurationOrNone(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"-2", "-1 s", "-10", "", "soon"} {
		if got, err := parseDurationOrNone(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestBounds(t *testing.T) {
	for key, bad := range map[string]string{"taskmanager.memory.segment-size": "512", "taskmanager.cpu.cores": "0",
		"restart-strategy.failure-rate.max-failures-per-interval": "0"} {
		if err := FromMap(map[string]string{key: bad}).Check(); err == nil {
			t.Errorf("%s: %s is no error", key, bad)
		}
	}
}

// Workers see of a cluster's configuration what jobs run with and nothing else.
func TestJobValues(t *testing.T) {
	c := FromMap(map[string]string{"execution.buffer-timeout": "1 s", "taskmanager.memory.segment-size": "64kb", "my.password": "x",
		"flink.hadoop.key": "x", "yarn.tags": "x"})
	want := map[string]string{"execution.buffer-timeout.interval": "1 s", "taskmanager.memory.segment-size": "64kb"}
	if got := c.JobValues(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLists(t *testing.T) {
	for text, want := range map[string][]string{
		"a;b": {"a", "b"}, "": nil, " a ": {"a"}, `"a;b";c`: {"a;b", "c"}, `'it''s';x`: {"it's", "x"}, "a;;b": {"a", "b"},
	} {
		got, err := parseList(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("parseList(%q) = %q, %v; want %q", text, got, err, want)
		}
		if again, err := parseList(joinList(got)); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("joinList(%q) is read as %q, %v", got, again, err)
		}
	}
	if _, err := parseList(`"a`); err == nil {
		t.Error("an open quote is no error")
	}
}

func TestPorts(t *testing.T) {
	if got, err := parsePorts("50100-50102, 8081"); err != nil || !reflect.DeepEqual(got, PortRange{50100, 50101, 50102, 8081}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"", "a", "5-4", "70000"} {
		if _, err := parsePorts(text); err == nil {
			t.Errorf("parsePorts(%q): want an error", text)
		}
	}
}

func TestLayersAndAliases(t *testing.T) {
	c := New()
	c.Set(File, "parallelism.default", "2", "f")
	c.Set(CommandLine, "parallelism.default", "3", "-p")
	if got := Get(c, DefaultParallelism); got != 3 {
		t.Errorf("parallelism %d, want the command line's 3", got)
	}
	c.Set(File, "taskmanager.heap.mb", "1024", "f")
	if got := Get(c, TaskManagerMemory); got != GiB {
		t.Errorf("old key gives %v", got)
	}
	c.Set(File, "taskmanager.memory.process.size", "2g", "f")
	c.Set(File, "taskmanager.heap.mb", "1024", "f")
	if got := Get(c, TaskManagerMemory); got != 2*GiB {
		t.Errorf("the option's own key must win over its old name, got %v", got)
	}
	c.Set(CommandLine, "yarn.heartbeat-delay", "7", "-D")
	if got := Get(c, HeartbeatIdle); got != 7*time.Second {
		t.Errorf("bare seconds: %v", got)
	}
	c.Set(File, "jobmanager.rpc.address", "jm", "f")
	if got := Get(c, RESTAddress); got != "jm" {
		t.Errorf("fallback: %q", got)
	}
	if _, ok := Lookup(c, SubmitTimeout); ok {
		t.Error("an option without default has a value")
	}
}

func TestCheckReportsAll(t *testing.T) {
	c := New()
	c.Set(File, "taskmanager.numberOfTaskSlots", "0", "conf/config.yaml, line 3")
	c.Set(CommandLine, "slotmanager.request-timeout", "soon", "-D")
	c.Set(File, "my.own.key", "anything", "")
	err := c.Check()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"taskmanager.numberOfTaskSlots (conf/config.yaml, line 3): 0 is too small", "slotmanager.request-timeout (-D): \"soon\" is not a duration"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not contain %q", err, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	c := New()
	c.Set(File, "taskmanager.numberOfTaskSlot", "2", "f")
	c.Set(File, "heartbeat.tiemout", "2", "f")
	c.Set(File, "restart-strategy", "none", "f")
	c.Set(File, "my.own.key", "x", "f")
	c.Set(File, "flink.hadoop.dfs.replication", "1", "f")
	got := strings.Join(c.Warnings(), "\n")
	want := strings.Join([]string{
		"configuration key restart-strategy (f) is an old name, use restart-strategy.type",
		"configuration key heartbeat.tiemout (f) is unknown, did you mean heartbeat.timeout?",
		"configuration key taskmanager.numberOfTaskSlot (f) is unknown, did you mean taskmanager.numberOfTaskSlots?",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	legacy := "# a comment\njobmanager.heap.size: 1g # as before\nbare:\nparallelism.default: 4\nurl: http://x:1/\n"
	write(t, filepath.Join(dir, LegacyFileName), legacy)
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if Get(c, JobManagerMemory) != GiB || Get(c, DefaultParallelism) != 4 {
		t.Errorf("flink-conf.yaml: %v", c.Map())
	}
	if v, _ := c.Raw("url"); v != "http://x:1/" {
		t.Errorf("url is %q", v)
	}
	nested := "parallelism:\n  default: 8\ntaskmanager.numberOfTaskSlots: 2\nyarn:\n  ship-files: [a, 'b;c']\n  heartbeat.interval: 3\nempty:\nversion: 010\n"
	write(t, filepath.Join(dir, FileName), nested)
	if c, err = Load(dir); err != nil {
		t.Fatal(err)
	}
	if Get(c, DefaultParallelism) != 8 || Get(c, Slots) != 2 || Get(c, HeartbeatIdle) != 3*time.Second {
		t.Errorf("config.yaml: %v", c.Map())
	}
	if got := Get(c, ShipFiles); !reflect.DeepEqual(got, []string{"a", "b;c"}) {
		t.Errorf("list: %q", got)
	}
	if v, _ := c.Raw("version"); v != "010" {
		t.Errorf("a scalar lost its text: %q", v)
	}
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "effective.yaml"), b.String())
	again, err := LoadFile(filepath.Join(dir, "effective.yaml"))
	if err != nil || !reflect.DeepEqual(again.Map(), c.Map()) {
		t.Errorf("written and read again: %v, %v; want %v", again.Map(), err, c.Map())
	}
}

func TestLoadErrors(t *testing.T) {
	for content, want := range map[string]string{
		"a: 1\na: 2\n":      "set twice",
		"- a\n":             "expected lines of the form",
		"a: [b, [c]]\n":     "plain values",
		"a: b: c\n":         "mapping values",
		"a.b: 1\na: {b: 2}": "set twice",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, FileName), content)
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", content, err, want)
		}
	}
}

func TestDir(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"bin", "conf", "other"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	exe := filepath.Join(root, "bin", "weft")
	write(t, exe, "")
	link := filepath.Join(root, "other", "weft")
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	get := func(k string) string { return env[k] }
	if got, err := Dir(get, link); err != nil || got != filepath.Join(root, "conf") {
		t.Errorf("beside the resolved binary: %q, %v", got, err)
	}
	env["FLINK_CONF_DIR"] = filepath.Join(root, "other")
	if got, _ := Dir(get, link); got != env["FLINK_CONF_DIR"] {
		t.Errorf("FLINK_CONF_DIR: %q", got)
	}
	env["WEFT_CONF_DIR"] = filepath.Join(root, "missing")
	if _, err := Dir(get, link); err == nil {
		t.Error("a missing WEFT_CONF_DIR is no error")
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The shipped file must be readable and say what the built-in defaults say.
func TestShippedFile(t *testing.T) {
	c, err := Load(filepath.Join("..", "conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Error(w)
	}
	for key, value := range c.Map() {
		if d, _ := find(key); d == nil || d.Default != value {
			t.Errorf("%s: %s is not a default", key, value)
		}
	}
}

// The committed page is what the declarations say.
func TestReferenceIsUpToDate(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != Reference() {
		t.Error("docs/configuration.md is not made of the declarations; run go generate ./config/...")
	}
	for _, d := range table {
		if strings.Count(string(page), "\n| `"+d.Key+"` |") != 1 {
			t.Errorf("%s does not have one line in docs/configuration.md", d.Key)
		}
	}
}

// Every key that stands in the comments of the shipped file is declared, and its value fits.
func TestShippedComments(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "conf", FileName))
	if err != nil {
		t.Fatal(err)
	}
	// Examples are comments of the form "# key: value", perhaps nested; sentences have no such colon.
	example := regexp.MustCompile(`(?m)^# ?( *(?:# )?[a-z][\w.-]*:(?: .*)?)$`)
	text := example.ReplaceAllString(string(data), "$1")
	dir := t.TempDir()
	write(t, filepath.Join(dir, FileName), text)
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	if n := len(c.Keys()); n < 20 {
		t.Errorf("%d keys only: the examples are not found", n)
	}
	for _, key := range c.Keys() {
		if d, _ := find(key); d == nil && !inFamily(key) {
			t.Errorf("%s is not declared", key)
		}
		if e, _ := c.lookup(key); e.spelled != "" {
			t.Errorf("%s is an old name", e.spelled)
		}
	}
}
