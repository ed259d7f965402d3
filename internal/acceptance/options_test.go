//go:build realhadoop

package acceptance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest"
)

// write makes local files below a new directory and gives that.
func (u *user) write(files map[string]string) string {
	u.t.Helper()
	dir := u.t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			u.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			u.t.Fatal(err)
		}
	}
	return dir
}

// parallelism gives those of a job's vertices.
func (u *user) parallelism(app, output string) []int {
	u.t.Helper()
	var out []int
	for _, v := range u.details(u.api(app), u.submitted(output)).Vertices {
		out = append(out, v.Parallelism)
	}
	return out
}

// setting is the value of a key in the session's configuration.
func setting(entries []rest.ConfigEntry, key string) string {
	i := slices.IndexFunc(entries, func(e rest.ConfigEntry) bool { return e.Key == key })
	if i < 0 {
		return ""
	}
	return entries[i].Value
}

// Every option of yarn-session.sh, by its short and by its long name, does what it says.
func TestSessionOptions(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		args       []string
	}{
		{"short names", "Weft Test", []string{"-jm", "512", "-tm", "1024", "-s", "2", "-nm", "short names", "-qu", "default", "-at", "Weft Test", "-z", "one", "-Dparallelism.default=2", "-D",
			"yarn.tags=blue,green", "-t", "SHIP/rules", "-t", "SHIP/note.txt", "-d"}},
		{"long names", "Other", []string{"--jobManagerMemory", "512m", "--taskManagerMemory=1g", "--slots", "2", "--name", "long names", "--queue", "default", "--applicationType", "Other",
			"--zookeeperNamespace", "one", "--ship", "SHIP/rules,SHIP/note.txt", "--detached", "-D", "parallelism.default=2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUser(t)
			// Two files of one name, which must not hide one another.
			ship := u.write(map[string]string{"rules/a/words.txt": "red red", "rules/b/words.txt": "blue", "note.txt": "green blue"})
			for i := range c.args {
				c.args[i] = strings.ReplaceAll(c.args[i], "SHIP", ship)
			}
			app := applicationID.FindString(u.ok("yarn-session.sh", c.args...).stdout)
			t.Cleanup(func() { u.kill(app) })
			a, err := u.c.App(t.Context(), app)
			if err != nil || a.Name != c.name || !strings.HasSuffix(a.Queue, "default") || a.Type != c.kind || a.AllocatedMB != 512 {
				t.Errorf("application: %+v, %v", a, err)
			}
			api := u.api(app)
			entries, err := api.Config(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range map[string]string{"taskmanager.numberOfTaskSlots": "2", "high-availability.cluster-id": "one", "parallelism.default": "2"} {
				if got := setting(entries, k); got != want {
					t.Errorf("%s is %q, expected %q", k, got, want)
				}
			}
			input := u.put("names.txt", "rules/a/words.txt\nrules/b/words.txt\nnote.txt\n")
			run := u.ok("weft", "run", testJob(t), "-mode", "shipped", "-input", input, "-output", u.out("counts"))
			u.same("words of shipped files", u.lines(u.out("counts")), []string{"blue 2", "green 1", "red 2"})
			if got := u.parallelism(app, run.stdout); slices.Max(got) != 2 {
				t.Errorf("parallelism %v, expected the session's 2", got)
			}
			tms, err := api.TaskManagers(t.Context())
			if err != nil || len(tms) != 1 || tms[0].Slots != 2 || tms[0].Memory.TotalProcess != 1<<30 {
				t.Errorf("TaskManagers: %+v, %v", tms, err)
			}
			if r := u.doWith("stop\n", "yarn-session.sh", "--applicationId", app); r.code != 0 {
				t.Errorf("stop: %s", r)
			}
		})
	}
}

// What the command line says wins over what the session was started with, and that over the configuration file.
func TestExplicitOptionsWin(t *testing.T) {
	u := newUser(t)
	u.without("WEFT_CONF_DIR")
	u.env = append(u.env, "WEFT_CONF_DIR="+u.write(map[string]string{"config.yaml": "parallelism.default: 3\ntaskmanager.numberOfTaskSlots: 3\n"}))
	first := u.session("-jm", "512", "-tm", "1024", "-nm", "first")
	second := u.session("-jm", "512", "-tm", "1024", "-s", "2", "-Dparallelism.default=2", "-nm", "second")
	input := u.put("in.txt", text(20, 1))
	n := 0
	job := func(app string, want int, args ...string) {
		t.Helper()
		n++
		r := u.ok("weft", append(append([]string{"run"}, args...), u.example("wordcount"), "-input", input, "-output", u.out(fmt.Sprint("out", n)))...)
		if got := u.parallelism(app, r.stdout); slices.Max(got) != want {
			t.Errorf("%v: parallelism %v, expected %d", args, got, want)
		}
	}
	job(second, 2)
	job(second, 1, "-p", "1")
	job(second, 1, "--parallelism", "1", "-t", "yarn-session")
	job(second, 1, "-Dparallelism.default=1")
	job(second, 1, "-D", "parallelism.default=1", "--target=yarn-session")
	job(first, 3, "-yid", first)
	job(first, 1, "-m", u.address(first), "-p1")
	job(first, 1, "--jobmanager", u.address(first), "-Dparallelism.default=1")
	for args, want := range map[string]int{"": 5, "-yid " + first: 3, "-m " + u.address(first): 3} {
		if r := u.ok("weft", append([]string{"list", "-a"}, strings.Fields(args)...)...); strings.Count(r.stdout, "(FINISHED)") != want {
			t.Errorf("list -a %s: expected %d jobs: %s", args, want, r)
		}
	}
	if r := u.ok("weft", "run", "-d", "-p", "1", u.example("wordcount"), "-input", input, "-output", u.out("detached")); strings.Contains(r.stdout, "Program execution finished") {
		t.Errorf("detached: %s", r)
	}
	// The file says 3 slots and the session's own option 2.
	entries, err := u.api(second).Config(t.Context())
	if err != nil || setting(entries, "taskmanager.numberOfTaskSlots") != "2" {
		t.Errorf("%v, %v", entries, err)
	}
}

// Sessions run in the queue that is asked for; a node label that the cluster does not have is refused in the ResourceManager's
// words.
func TestQueueAndNodeLabel(t *testing.T) {
	u := newUser(t)
	app := u.session("-jm", "512", "-tm", "512", "-qu", "small")
	if a, err := u.c.App(t.Context(), app); err != nil || !strings.HasSuffix(a.Queue, "small") {
		t.Errorf("application: %+v, %v", a, err)
	}
	u.kill(app)
	u = newUser(t)
	for _, option := range []string{"-nl", "--nodeLabel"} {
		sentence(t, u.fails(2, []string{"YARN refuses", "node label"}, "yarn-session.sh", "-d", option, "nosuchlabel", "--submit-timeout", "20s"))
	}
	u.nothingLeft()
}

// -q prints memory and vcores by node and by queue, and ends.
func TestQuery(t *testing.T) {
	u := newUser(t)
	for _, option := range []string{"-q", "--query"} {
		r := u.ok("yarn-session.sh", option)
		nodes, err := u.c.Nodes(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes {
			if !strings.Contains(r.stdout, n.ID) {
				t.Errorf("node %s is missing in %s", n.ID, r)
			}
		}
		for _, want := range []string{fmt.Sprintf("NodeManagers in the cluster: %d", len(nodes)), "Memory MB", "VCores", fmt.Sprint(u.c.NodeMemoryMB()), "Summary", "Queue", "default", "small", "90%", "10%"} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%q is missing in %s", want, r)
			}
		}
	}
	u.nothingLeft()
}

// Help has the options and examples and ends with 0; what is no option ends with 2 and says where help is.
func TestHelpAndMistakes(t *testing.T) {
	u := newUser(t)
	named := map[string][]string{
		"yarn-session": {"-jm, --jobManagerMemory", "-tm, --taskManagerMemory", "-s, --slots", "-nm, --name", "-qu, --queue", "-D <key=value>", "-t, --ship", "-z, --zookeeperNamespace",
			"-at, --applicationType", "-nl, --nodeLabel", "-id, --applicationId", "-q, --query", "-d, --detached", "--submit-timeout"},
		"run":  {"-d, --detached", "-p, --parallelism", "-c, --class", "-m, --jobmanager", "-t, --target", "-D <key=value>", "-yid"},
		"list": {"-a, --all", "-r, --running", "-s, --scheduled", "-m, --jobmanager"},
		"info": {"-p, --parallelism", "-c, --class"}, "cancel": {"-m, --jobmanager", "-yid"}, "init": {"DIR"},
	}
	for command, options := range named {
		for _, help := range []string{"-h", "--help"} {
			r := u.ok("weft", command, help)
			for _, want := range append([]string{"Usage:", "weft " + command, "Examples:"}, options...) {
				if !strings.Contains(r.stdout, want) {
					t.Errorf("weft %s %s: %q is missing in %s", command, help, want, r)
				}
			}
			if r.stderr != "" {
				t.Errorf("help is not an error: %s", r)
			}
		}
		u.fails(2, []string{"unknown option --nonsense", "See weft " + command + " --help"}, "weft", command, "--nonsense")
	}
	if r := u.ok("yarn-session.sh", "--help"); !strings.Contains(r.stdout, "Examples:") {
		t.Errorf("help: %s", r)
	}
	for _, help := range []string{"-h", "--help"} {
		if r := u.ok("weft", help); !strings.Contains(r.stdout, "yarn-session") || !strings.Contains(r.stdout, "cancel") {
			t.Errorf("weft %s: %s", help, r)
		}
	}
	for _, c := range []struct {
		texts []string
		args  []string
	}{
		{[]string{"did you mean --jobManagerMemory?"}, []string{"yarn-session", "--jobmanagermemory", "1g"}},
		{[]string{"needs a value"}, []string{"yarn-session", "-jm"}},
		{[]string{"-s", "many"}, []string{"yarn-session", "-s", "many", "-d"}},
		{[]string{"lots"}, []string{"yarn-session", "-tm", "lots", "-d"}},
		{[]string{"expected key=value"}, []string{"yarn-session", "-D", "=x"}},
		{[]string{`unexpected argument "now"`}, []string{"yarn-session", "now"}},
		{[]string{"nosuch.txt", "no such file"}, []string{"yarn-session", "-d", "-t", "nosuch.txt"}},
		{[]string{"application_x"}, []string{"yarn-session", "-id", "application_x"}},
		{[]string{"no job"}, []string{"run"}},
		{[]string{"nowhere", "expected yarn-session"}, []string{"run", "-t", "nowhere", u.example("wordcount")}},
		{[]string{"expected host:port"}, []string{"run", "-m", "nowhere", u.example("wordcount")}},
		{[]string{"-c"}, []string{"run", "-c", "name", u.example("wordcount")}},
		{[]string{"-p", "0"}, []string{"run", "-p", "0", u.example("wordcount")}},
		{[]string{"is not a command", "weft --help"}, []string{"walk"}},
		{[]string{"expected one job id"}, []string{"cancel"}},
	} {
		u.fails(2, c.texts, "weft", c.args...)
	}
	u.nothingLeft()
}
