package devcluster

import (
	"context"
	"encoding/xml"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{NodeManagers: 11}, "11 NodeManagers: expected 1 to 10"},
		{Options{DataNodes: -1}, "-1 DataNodes: expected 1 to 6"},
		{Options{Profile: "x"}, `profile "x": expected "vmem"`},
		{Options{Conf: map[string]map[string]string{"yarn.xml": nil}}, `configuration file "yarn.xml": expected core-site.xml`},
		{Options{KDCOnly: true}, "needs Options.Kerberos"},
		{Options{Kerberos: &Kerberos{Protection: "strong"}}, `protection "strong": expected authentication, integrity or privacy`},
		{Options{Kerberos: &Kerberos{TokenLife: time.Millisecond}}, "expected whole seconds"},
		{Options{Queues: []Queue{{Name: "a", Capacity: 90}}}, "add up to 90 %, expected 100"},
	} {
		if _, err := tt.o.withDefaults(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, expected %q", tt.o, err, tt.want)
		}
	}
	o, err := Options{Dir: filepath.Join(t.TempDir(), "new")}.withDefaults()
	if err != nil || o.NodeManagers != 2 || o.DataNodes != 1 || o.Version != DefaultVersion {
		t.Errorf("defaults: %+v, %v", o, err)
	}
}

// readConf reads a written configuration file as Hadoop would.
func readConf(t *testing.T, dir, file string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "conf", file))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Property []struct {
			Name  string `xml:"name"`
			Value string `xml:"value"`
		} `xml:"property"`
	}
	if err := xml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range doc.Property {
		out[p.Name] = p.Value
	}
	return out
}

// Overrides win over what the cluster sets itself; the vmem profile keeps Hadoop's own checks.
func TestConfiguration(t *testing.T) {
	dir := t.TempDir()
	o, err := Options{Dir: dir, Profile: ProfileVMem, Conf: map[string]map[string]string{
		yarnSite: {"yarn.acl.enable": "true", "yarn.resourcemanager.am.max-attempts": "7", "odd": "<&>"},
	}}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if err := writeConf(dir, 20000, o); err != nil {
		t.Fatal(err)
	}
	yarn := readConf(t, dir, yarnSite)
	for k, want := range map[string]string{
		"yarn.acl.enable": "true", "yarn.resourcemanager.am.max-attempts": "7", "odd": "<&>",
		"yarn.nodemanager.vmem-check-enabled": "true", "yarn.nodemanager.vmem-pmem-ratio": "2.1",
		"yarn.nodemanager.resource.memory.enforced": "false", "yarn.scheduler.minimum-allocation-mb": "",
	} {
		if yarn[k] != want {
			t.Errorf("%s is %q, expected %q", k, yarn[k], want)
		}
	}
	if q := readConf(t, dir, capacityScheduler); q["yarn.scheduler.capacity.root.queues"] != "default,small" {
		t.Errorf("queues: %v", q)
	}
}

// D3: a claimed block is not handed out again until the claim is closed.
func TestPortsAreClaimed(t *testing.T) {
	first, claim, err := claimPorts()
	if err != nil {
		t.Fatal(err)
	}
	second, other, err := claimPorts()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if first == second {
		t.Errorf("the block of port %d was handed out twice", first)
	}
	claim.Close()
	third, again, err := claimPorts()
	if err != nil || third == second {
		t.Errorf("after the release: block %d, %v", third, err)
	}
	if err == nil {
		again.Close()
	}
}

// D1: a daemon is known by its mark, and only while it runs.
func TestMarkedProcesses(t *testing.T) {
	dir := t.TempDir()
	// A copy of this test binary that waits; its arguments are as free as a JVM's.
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"java", markOf(dir, "namenode"), "x"}
	cmd.Env = []string{mapEnv + "=1"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := waitFor(ctx, pollEvery, func() (bool, error) { return len(daemonsBelow(dir)) == 1, nil }); err != nil {
		t.Fatalf("the marked process was not found: %v", err)
	}
	reaped := make(chan error, 1)
	go func() { reaped <- cmd.Wait() }()
	if err := stopAll(dir, 0); err != nil {
		t.Fatal(err)
	}
	if err := <-reaped; err == nil {
		t.Error("the process was not killed")
	}
	if got := daemonsBelow(dir); len(got) != 0 {
		t.Errorf("an ended process was found: %v", got)
	}
	if _, _, ok := markedBy(os.Getpid()); ok {
		t.Error("this test is no daemon")
	}
	if err := (daemonProc{pid: os.Getpid(), dir: dir, name: "namenode"}).signal(9); !errors.Is(err, errGone) {
		t.Errorf("signal to a process without the mark: %v", err)
	}
}

func TestLockFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	unlock, err := lockFile(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := lockFile(ctx, name); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second lock: %v", err)
	}
	unlock()
	unlock, err = lockFile(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestSplitLogs(t *testing.T) {
	got := splitLogs("Container: c on h\n====\nLogType:a.log\nLogLength:3\nLogContents:\none\ntwo\nEnd of LogType:a.log\n***\n\n" +
		"LogType:b.out\nLogContents:\n\nEnd of LogType:b.out\n")
	want := map[string]string{"a.log": "one\ntwo", "b.out": ""}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, expected %q", got, want)
	}
}

func TestReasonsForPeople(t *testing.T) {
	log := "1 INFO x\n2 ERROR NameNode: Failed to start\njava.net.BindException: in use\n\tat a.b\n3 INFO SHUTDOWN"
	if got := worstLine(log); got != "2 ERROR NameNode: Failed to start: java.net.BindException: in use" {
		t.Errorf("worst line: %q", got)
	}
	mvn := "[INFO] x\n[ERROR] Could not resolve a:b\n[ERROR] -> [Help 1]\n"
	if got := mavenErrors([]byte(mvn)); !strings.HasPrefix(got, "Could not resolve a:b") {
		t.Errorf("Maven's errors: %q", got)
	}
	if got := lastLines([]byte("a\nb\nc\n"), 2); got != "b\nc" {
		t.Errorf("last lines: %q", got)
	}
}

func TestOpenWithoutCluster(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no cluster in") {
		t.Errorf("%v", err)
	}
}

// What a daemon of a secured cluster has on its command line beyond its configuration, and a KDC with another clock.
func TestSecuredDaemons(t *testing.T) {
	c := &Cluster{state: state{Dir: "/d", Base: 20000, Kerberos: &Kerberos{Protection: ProtectionPrivacy}}}
	if flags := c.secureDaemonFlags(daemonName{kind: kindNameNode}); len(flags) != 0 {
		t.Errorf("one level: %q", flags)
	}
	c.state.Kerberos.AnyProtection = true
	for kind, want := range map[daemonKind]int{kindKDC: 0, kindKDCAhead: 0, kindNameNode: 2, kindResourceManager: 2, kindNodeManager: 2, kindDataNode: 3} {
		flags := c.secureDaemonFlags(daemonName{kind: kind})
		if len(flags) != want || want > 0 && flags[0] != "-Dhadoop.rpc.protection=privacy,integrity,authentication" {
			t.Errorf("%s: %q", kind, flags)
		}
	}
	for _, d := range c.daemonNames() {
		if d.kind == kindKDCAhead {
			t.Error("the KDC with another clock is started without being asked for")
		}
	}
	if d, err := c.daemon(KDCAhead); err != nil || d.String() != KDCAhead {
		t.Errorf("%v, %v", d, err)
	}
	c.state.Kerberos = nil
	if _, err := c.daemon(KDCAhead); err == nil {
		t.Error("a KDC of a cluster without Kerberos")
	}
}
