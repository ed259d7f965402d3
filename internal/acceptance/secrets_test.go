//go:build realhadoop

package acceptance

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/security"
)

// planted is a secret that a user has put into the configuration.
const planted = "planted-4d5e6f7a8b9c"

// needles are texts that must not be found where others can look, by what they are.
type needles map[string][]byte

// add adds a secret in every form it could slip out in.
func (n needles) add(what string, s security.Secret) {
	n[what] = []byte(s.Hex())
	n[what+" as bytes"] = []byte(s)
	n[what+" in base64"] = []byte(base64.RawStdEncoding.EncodeToString(s))
	n[what+" in base64 for URLs"] = []byte(base64.RawURLEncoding.EncodeToString(s))
	n[what+" as Go prints bytes"] = []byte(strings.Trim(fmt.Sprint([]byte(s)), "[]"))
}

// absent checks that a text holds none of them.
func (n needles) absent(t *testing.T, where string, text []byte) {
	t.Helper()
	for what, needle := range n {
		if bytes.Contains(text, needle) || bytes.Contains(bytes.ToLower(text), needle) {
			t.Errorf("%s is in %s", what, where)
		}
	}
}

// secret is the application's.
func (u *user) secret(app string) security.Secret {
	u.t.Helper()
	b, err := u.c.ReadFile(u.t.Context(), u.hdfs+"/.weft/staging/"+app+"/secret")
	if err != nil {
		u.t.Fatal(err)
	}
	s, err := security.ParseSecret(strings.TrimSpace(string(b)))
	if err != nil {
		u.t.Fatal(err)
	}
	return s
}

// secrets are those of an application and of its jobs.
func (u *user) secrets(app string, jobs ...string) needles {
	u.t.Helper()
	s := u.secret(app)
	n := needles{"the planted secret": []byte(planted)}
	n.add("the application's secret", s)
	n.add("the owner's token", s.Derive(security.LabelRESTOwner))
	n.add("the control plane's secret", s.Derive(security.LabelControl))
	for _, job := range jobs {
		n.add("the secret of job "+job, s.Derive(security.LabelJob, job))
		n.add("the data secret of job "+job, s.Derive(security.LabelJob, job).Derive(security.LabelData))
	}
	return n
}

// Secrets are in private files and memory, nowhere else.
func TestSecretsStaySecret(t *testing.T) {
	u := newUser(t)
	// Whatever is logged when somebody looks for a fault is looked through too.
	u.env = append(u.env, "WEFT_DEBUG=1")
	said := map[string]result{}
	said["yarn-session.sh"] = u.ok("yarn-session.sh", "-d", "-jm", "768", "-tm", "1024", "-s", "2", "-D", "my.service.password="+planted)
	app := applicationID.FindString(said["yarn-session.sh"].stdout)
	t.Cleanup(func() { u.kill(app) })
	words := text(100, 4)
	input := u.put("in.txt", words)
	said["run"] = u.ok("weft", "run", u.example("wordcount"), "-input", input, "-output", u.out("counts"))
	said["failing run"] = u.fails(1, []string{"bad line"}, "weft", "run", "-D", "restart-strategy.type=none", "-D", "my.token="+planted, testJob(t), "-mode", "error", "-input", input, "-output", u.out("none"))
	said["list"] = u.ok("weft", "list", "-a")
	said["attach"] = u.doWith("help\nquit\n", "yarn-session.sh", "-id", app)
	run, job := u.running(app, u.out("slow"), "-p", "2")

	secret := u.secrets(app, u.submitted(said["run"].stdout), u.submitted(said["failing run"].stdout), job)
	if string(secret["the owner's token"]) != u.token(app) {
		t.Fatal("the test derives another token than the client")
	}
	for what, r := range said {
		secret.absent(t, "the output of "+what, []byte(r.stdout+r.stderr))
	}
	u.lookIntoProcesses(app, secret)
	u.lookIntoContainers(app, secret)
	u.lookIntoDocuments(app, secret, job)
	u.privateFiles(app, secret)

	said["cancel"] = u.ok("weft", "cancel", job)
	said["cancelled run"] = run.wait()
	said["stop"] = u.doWith("stop\n", "yarn-session.sh", "-id", app)
	for what, r := range said {
		secret.absent(t, "the output of "+what, []byte(r.stdout+r.stderr))
	}
	u.until("nothing of it runs", func() bool { return len(u.c.Processes(app)) == 0 })
	u.until("the logs are aggregated", func() bool {
		logs, err := u.c.ContainerLogs(app)
		return err == nil && len(logs) >= 6
	})
	u.lookIntoLogs(app, secret)
}

// lookIntoLogs looks into all logs of an application's containers.
func (u *user) lookIntoLogs(app string, secret needles) {
	u.t.Helper()
	logs, err := u.c.ContainerLogs(app)
	if err != nil {
		u.t.Fatal(err)
	}
	for name, content := range logs {
		secret.absent(u.t, "the log "+name, []byte(content))
	}
	names := strings.Join(slices.Sorted(maps.Keys(logs)), " ")
	for _, want := range []string{"/jobmanager.log", "/taskmanager.log", "/worker-"} {
		if !strings.Contains(names, want) {
			u.t.Errorf("no %s among the logs: %s", want, names)
		}
	}
}

// lookIntoProcesses looks at what ps shows.
func (u *user) lookIntoProcesses(app string, secret needles) {
	u.t.Helper()
	procs := u.c.Processes(app)
	if len(u.workers(app)) == 0 || len(u.processes(app, "jobmanager")) != 1 || len(u.processes(app, "taskmanager")) == 0 {
		u.t.Fatalf("not all processes are there: %+v", procs)
	}
	for _, p := range procs {
		for _, name := range []string{"environ", "cmdline"} {
			b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				u.t.Error(err)
			}
			secret.absent(u.t, fmt.Sprintf("%s of %v", name, p.Args), b)
		}
	}
}

// lookIntoContainers looks into the logs and the files that NodeManagers have on disk: launch scripts, and everything else that
// others than the owner could read.
func (u *user) lookIntoContainers(app string, secret needles) {
	u.t.Helper()
	u.lookIntoLogs(app, secret)
	scripts, secrets := 0, 0
	for i := range u.c.NodeManagers() {
		dir := filepath.Join(u.c.Dir(), "nodemanager-"+strconv.Itoa(i), "local")
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !e.Type().IsRegular() || !strings.Contains(path, app) {
				return err
			}
			info, err := e.Info()
			if err != nil || info.Size() > 1<<20 {
				return nil
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			switch {
			case e.Name() == "launch_container.sh":
				scripts++
			case info.Mode().Perm()&0o077 == 0 && (e.Name() == "secret" || e.Name() == "config.yaml"):
				secrets++
				return nil
			}
			secret.absent(u.t, fmt.Sprintf("%s (%v)", path, info.Mode()), b)
			return nil
		})
		if err != nil {
			u.t.Fatal(err)
		}
	}
	// The ResourceManager's and the NodeManagers' own copies, for the JobManager and a TaskManager at least.
	if scripts < 2 || secrets < 2 {
		u.t.Errorf("%d launch scripts and %d private files: too few to have looked at the right place", scripts, secrets)
	}
}

// lookIntoDocuments looks into everything that REST and the pages show, to the owner too.
func (u *user) lookIntoDocuments(app string, secret needles, job string) {
	u.t.Helper()
	c, base := newCaller(u.t, ""), "http://"+u.address(app)
	for _, path := range u.readable(app, job) {
		status, body := c.ask("GET", base+path, "Authorization", "Bearer "+u.token(app))
		if want := u.readableStatus(path); status != want && !strings.Contains(path, "log-url") && !strings.Contains(path, "execution-result") {
			u.t.Errorf("GET %s: status %d, expected %d: %.300s", path, status, want, body)
		}
		secret.absent(u.t, path, []byte(body))
		if path == "/jobmanager/config" && !strings.Contains(body, `"my.service.password","value":"******"`) {
			u.t.Errorf("%s does not show the key of the masked value: %s", path, body)
		}
	}
}

// readableStatus is the status of a document that can be read: 404 for those that a running job without checkpoints, or a session
// without uploads, has not.
func (u *user) readableStatus(path string) int {
	if strings.HasSuffix(path, "/none") || strings.HasSuffix(path, "/checkpoints/config") || strings.Contains(path, "/checkpoints/details/") {
		return 404
	}
	return 200
}

// readable are the paths of all documents and pages that can be read, of a job that runs.
func (u *user) readable(app, job string) []string {
	u.t.Helper()
	d := u.details(u.api(app), job)
	tms, err := u.api(app).TaskManagers(u.t.Context())
	if err != nil || len(tms) == 0 {
		u.t.Fatalf("TaskManagers: %v, %v", tms, err)
	}
	place := strings.NewReplacer(":jobid", job, ":vertexid", d.Vertices[0].ID, ":taskmanagerid", tms[0].ID, ":subtaskindex", "0", ":attempt", "0", ":jarid", "none",
		":triggerid", "none", ":checkpointid", "1")
	paths := []string{"/", "/ui/config", "/ui/logs", "/ui/logs/jobmanager.log", "/ui/logs/jobmanager.err", place.Replace("/ui/jobs/:jobid"),
		place.Replace("/ui/jobs/:jobid/vertices/:vertexid"), place.Replace("/ui/taskmanagers/:taskmanagerid")}
	for _, r := range rest.Routes() {
		if r.Method == "GET" && r.Access == rest.AccessRead {
			// The name of a file that every process of this kind has.
			file := "jobmanager.log"
			if strings.HasPrefix(r.Path, "/taskmanagers/") {
				file = "taskmanager.log"
			}
			paths = append(paths, strings.ReplaceAll(place.Replace(r.Path), ":filename", file))
		}
	}
	return paths
}

// privateFiles checks modes at home and in HDFS.
func (u *user) privateFiles(app string, secret needles) {
	t := u.t
	t.Helper()
	for name, mode := range map[string]fs.FileMode{".weft": 0o700, ".weft/" + app: 0o700, ".weft/" + app + "/token": 0o600} {
		if st, err := os.Stat(filepath.Join(u.home, name)); err != nil || st.Mode().Perm() != mode {
			t.Errorf("~/%s: %v, %v; expected mode %o", name, st.Mode(), err, mode)
		}
	}
	entries, err := os.ReadDir(u.tmp)
	if err != nil || len(entries) != 1 {
		t.Fatalf("temporary files: %v, %v", entries, err)
	}
	properties := filepath.Join(u.tmp, entries[0].Name())
	b, err := os.ReadFile(properties)
	if err != nil {
		t.Fatal(err)
	}
	secret.absent(t, properties, b)
	if st, err := os.Stat(properties); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", properties, st.Mode(), err)
	}
	modes := map[string]string{}
	files, err := u.c.Walk(t.Context(), u.hdfs+"/.weft")
	if err != nil {
		t.Fatal(err)
	}
	home, err := u.c.List(t.Context(), u.hdfs)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, home...) {
		modes[strings.TrimPrefix(f.Path, u.hdfs+"/")] = f.Permission
	}
	if modes[".weft"] != "700" {
		t.Errorf(".weft in HDFS has mode %s, expected 700", modes[".weft"])
	}
	staged := 0
	for name, mode := range modes {
		if strings.HasPrefix(name, ".weft/staging/"+app+"/") {
			staged++
			if mode != "600" && mode != "400" {
				t.Errorf("%s in HDFS has mode %s, expected 600 or 400", name, mode)
			}
		}
	}
	if staged < 3 {
		t.Errorf("only %d staged files: %v", staged, modes)
	}
}

// listening gives the ports that a process listens on.
func listening(t *testing.T, p devcluster.Proc) []int {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(p.PID))
	inodes := map[string]bool{}
	fds, err := os.ReadDir(filepath.Join(proc, "fd"))
	if errors.Is(err, fs.ErrNotExist) {
		// It has just ended.
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(filepath.Join(proc, "fd", fd.Name())); err == nil {
			if inode, ok := strings.CutPrefix(target, "socket:["); ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	var ports []int
	for _, name := range []string{"tcp", "tcp6"} {
		b, err := os.ReadFile(filepath.Join(proc, "net", name))
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(b)) {
			// sl, local address, remote address, state (0A is LISTEN), …, inode.
			f := strings.Fields(l)
			if len(f) < 10 || f[3] != "0A" || !inodes[f[9]] {
				continue
			}
			_, hex, _ := strings.Cut(f[1], ":")
			port, err := strconv.ParseInt(hex, 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, int(port))
		}
	}
	return ports
}

// Every port of every process refuses a stranger, and serves who it is for all the while.
func TestStrangersAreRefused(t *testing.T) {
	u := newUser(t)
	app := u.session("-jm", "768", "-tm", "1024", "-s", "1")
	words := text(300, 6) + "hold\n"
	input, gate := u.put("in.txt", words), filepath.Join(t.TempDir(), "gate")
	run := u.start("", "weft", "run", "-p", "2", testJob(t), "-mode", "gate", "-gate", gate, "-input", input, "-output", u.out("slow"))
	run.says("Job has been submitted")
	job := u.submitted(run.stdout.String())
	u.until("workers listen", func() bool {
		w := u.workers(app)
		return len(w) == 2 && len(listening(t, w[0])) > 0 && len(listening(t, w[1])) > 0
	})
	_, port, err := net.SplitHostPort(u.address(app))
	if err != nil {
		t.Fatal(err)
	}
	others, ports, pages := map[string]int{}, map[string]string{}, 0
	for role, procs := range map[string][]devcluster.Proc{"jobmanager": u.processes(app, "jobmanager"), "taskmanager": u.processes(app, "taskmanager"), "worker": u.workers(app)} {
		for _, p := range procs {
			for _, n := range listening(t, p) {
				if strconv.Itoa(n) == port {
					pages++
					continue
				}
				others[role]++
				ports["127.0.0.1:"+strconv.Itoa(n)] = role
			}
		}
	}
	// The control plane, and a data port for each worker; a TaskManager dials and listens nowhere.
	if pages != 1 || others["jobmanager"] != 1 || others["worker"] != 2 || others["taskmanager"] != 0 {
		t.Errorf("listening: REST %d, others %v", pages, others)
	}
	// All of it at once, as it would come.
	var all sync.WaitGroup
	all.Go(func() { garbage(t, ports) })
	all.Go(func() { requests(t, u.address(app)) })
	all.Go(func() { wrongSecrets(t, ports, u.secret(app), job) })
	all.Wait()
	crowd(t, keys(ports, u.address(app)), func() { u.withoutToken(app, job) })
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run.wait(); r.code != 0 || strings.Contains(r.stderr, "RESTARTING") {
		t.Errorf("the job did not go on: %s", r)
	}
	u.same("counts", u.lines(u.out("slow")), count(words))
	u.ok("weft", "run", "-p", "2", u.example("wordcount"), "-input", input, "-output", u.out("after"))
	u.same("counts", u.lines(u.out("after")), count(words))
}

// withoutToken asks for every path of the API without a token and with wrong ones.
func (u *user) withoutToken(app, job string) {
	t := u.t
	t.Helper()
	c, base := newCaller(t, ""), "http://"+u.address(app)
	place := strings.NewReplacer(":jobid", job, ":vertexid", job, ":taskmanagerid", "x", ":subtaskindex", "0", ":attempt", "0", ":filename", "jobmanager.log")
	requests := [][2]string{{"GET", "/"}, {"GET", "/ui/config"}, {"GET", "/ui/logs/jobmanager.log"}, {"GET", "/nosuch"}, {"POST", "/jars/upload"}, {"OPTIONS", "/"}, {"HEAD", "/overview"}}
	for _, r := range rest.Routes() {
		requests = append(requests, [2]string{r.Method, place.Replace(r.Path)}, [2]string{r.Method, "/v1" + place.Replace(r.Path)})
	}
	token := u.token(app)
	wrong := security.NewSecret().Hex()
	for _, r := range requests {
		for _, header := range [][]string{nil, {"Authorization", "Bearer " + wrong}, {"Authorization", "Bearer " + token[:len(token)-1]}, {"Authorization", "Bearer "}, {"Authorization", "Basic eDp5"}, {"Authorization", token}} {
			if status, body := c.ask(r[0], base+r[1], header...); status != 401 {
				t.Errorf("%s %s with %q: status %d, expected 401: %.200s", r[0], r[1], header, status, body)
			}
		}
	}
}

// garbage talks to ports as those do who do not know what they are for, all at once; each connection must be dropped.
func garbage(t *testing.T, ports map[string]string) {
	t.Helper()
	texts := []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		strings.Repeat("\x00", 4096), strings.Repeat("\xff", 1<<16), "\r\n", ""}
	texts = append(texts, handshakes()...)
	var all sync.WaitGroup
	for address, who := range ports {
		for _, text := range texts {
			all.Go(func() {
				if err := droppedAfter(address, text, 256); err != nil {
					t.Errorf("%s at %s, told %.20q: %v", who, address, text, err)
				}
			})
		}
	}
	all.Wait()
}
