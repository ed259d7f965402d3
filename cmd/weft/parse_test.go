package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/weft-project/weft/config"
)

// show writes what was found in one line.
func show(found []occurrence, rest []string) string {
	var out []string
	for _, f := range found {
		text := f.option.names[0]
		if f.option.arg != "" {
			text += "=" + f.value
		}
		out = append(out, text)
	}
	return fmt.Sprintf("%s | %s", strings.Join(out, " "), strings.Join(rest, " "))
}

func TestParseRun(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"job", " | job"},
		{"-d job -d", "d | job -d"},
		{"-p 4 job", "p=4 | job"},
		{"-p4 job", "p=4 | job"},
		{"-dp 4 job", "d p=4 | job"},
		{"--parallelism 4 job", "p=4 | job"},
		{"--parallelism=4 job", "p=4 | job"},
		{"-parallelism 4 job", "p=4 | job"},
		{"--par 4 job", "p=4 | job"},
		{"-D a=b job", "D=a=b | job"},
		{"-Da=b job", "D=a=b | job"},
		{"-Da=b=c,d job", "D=a=b=c,d | job"},
		{"-yDa=b job", "yD=a=b | job"},
		{"-D a=1,2 -Dx=y job --x -p 9 -- -q", "D=a=1,2 D=x=y | job --x -p 9 -- -q"},
		{"-c -weird job", "c=-weird | job"},
		{"-- -odd-job -x", " | -odd-job -x"},
		{"-m host:1 -yid application_1_1 job", "m=host:1 yid=application_1_1 | job"},
		{"-sae job", "sae | job"},
		{"--detached job", "d | job"},
		{"- x", " | - x"},
	} {
		found, rest, err := parse(runOptions(), strings.Fields(c.args), true)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if got := show(found, rest); got != c.want {
			t.Errorf("%s: got %q, want %q", c.args, got, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for args, want := range map[string]string{
		"-x job":               "unknown option -x",
		"--no-such job":        "unknown option --no-such",
		"-tm 1024 job":         "unknown option -tm, did you mean -ytm?",
		"--paralelism 2 job":   "did you mean --parallelism?",
		"-a 1 job":             "stand behind JOB",
		"-p":                   "option -p needs a value",
		"-p -d job":            "option -p needs a value",
		"--detached=yes job":   "takes no value",
		"--from-savepoint x j": "did you mean",
		"-pd job":              "unknown option -pd",
		"-D =b job":            "expected key=value",
		"-py x.py":             "written in Go",
	} {
		_, err := read("run", append(runOptions(), option{names: []string{"fromSavepointX", "from_savepoint"}}), strings.Fields(args), true)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", args, err, want)
		}
	}
}

func TestSessionSettings(t *testing.T) {
	s, err := read("yarn-session", sessionOptions(), strings.Fields("-n 2 -st -jm 1024 -tm 2g -s 2 -nm x -qu q -Da=b -D c=d -t f1 -t f2,f3 -z ns -at type -nl label -d"), false)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"jobmanager.memory.process.size": "1024m", "taskmanager.memory.process.size": "2g", "taskmanager.numberOfTaskSlots": "2",
		"yarn.application.name": "x", "yarn.application.queue": "q", "a": "b", "c": "d", "high-availability.cluster-id": "ns",
		"yarn.application.type": "type", "yarn.application.node-label": "label",
	}
	if got := s.dynamic(); !reflect.DeepEqual(got, want) {
		t.Errorf("settings %v, want %v", got, want)
	}
	if !s.detached || !reflect.DeepEqual(s.ship, []string{"f1", "f2", "f3"}) || len(s.notes) != 2 {
		t.Errorf("detached %v, ship %v, notes %v", s.detached, s.ship, s.notes)
	}
	s, err = read("yarn-session", sessionOptions(), strings.Fields("-jm1024 --jobManagerMemory=1 gb"), false)
	if err != nil || s.values[0].value != "1024m" || len(s.words) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// Every option of a cluster that Flink's run has, in all its spellings.
func TestYarnOptionsOfRun(t *testing.T) {
	for _, line := range []string{
		"-m yarn-cluster -yjm 1024 -ytm 2g -ys 2 -ynm n -yqu q -yat t -ynl l -yj /w -yt a -yt b,c -yDx=y -yD v=w -yd -yz ns -yn 3 -yst -yid app job -yjm x",
		"-m yarn-cluster -yjm1024 -ytm=2g -ys2 --yarnname n --yarnqueue=q --yarnapplicationType t --yarnnodeLabel l --yarnjar /w --yarnship a --yarnship b,c " +
			"-yD x=y -yDv=w --yarndetached --yarnzookeeperNamespace ns --yarncontainer 3 --yarnstreaming --yarnapplicationId app job -yjm x",
		"-m yarn-cluster --yarnjobManagerMemory 1024 --yarntaskManagerMemory 2g --yarnslots 2 -yarnname n -yarnqueue q -yat=t -ynl=l -yj=/w -yt=a -yt=b,c " +
			"-yDx=y -yD v=w -yd --yarnzookeeperNamespace=ns -yn3 -yst -yid=app job -yjm x",
	} {
		s, err := read("run", runOptions(), strings.Fields(line), true)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		want := map[string]string{
			"jobmanager.memory.process.size": "1024m", "taskmanager.memory.process.size": "2g", "taskmanager.numberOfTaskSlots": "2",
			"yarn.application.name": "n", "yarn.application.queue": "q", "yarn.application.type": "t", "yarn.application.node-label": "l",
			"weft.executable": "/w", "x": "y", "v": "w", "execution.attached": "false", "high-availability.cluster-id": "ns",
		}
		if got := s.dynamic(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\nsettings %v\nwant     %v", line, got, want)
		}
		if s.master != "yarn-cluster" || s.application != "app" || !reflect.DeepEqual(s.ship, []string{"a", "b", "c"}) || len(s.notes) != 2 {
			t.Errorf("%s: %+v", line, s)
		}
		if !reflect.DeepEqual(s.words, []string{"job", "-yjm", "x"}) {
			t.Errorf("%s: words %q", line, s.words)
		}
		var said []string
		s.noteForSession(func(f string, a ...any) { said = append(said, fmt.Sprintf(f, a...)) })
		if len(said) != 1 || !strings.Contains(said[0], "-yt, -yjm, -ytm, -ys, -ynm, -yqu, -yat, -ynl, -yj:") {
			t.Errorf("%s: note %q", line, said)
		}
	}
	for _, line := range []string{"-yq", "--yarnquery"} {
		if s, err := read("run", runOptions(), []string{line}, true); err != nil || !s.query {
			t.Errorf("%s: %+v, %v", line, s, err)
		}
	}
	for _, line := range []string{"-yh", "--yarnhelp"} {
		if s, err := read("run", runOptions(), []string{line}, true); err != nil || !s.help {
			t.Errorf("%s: %+v, %v", line, s, err)
		}
	}
}

// No two options of a command share a name.
func TestNamesAreUnique(t *testing.T) {
	for command, h := range helps {
		seen := map[string]bool{}
		for _, o := range h.options() {
			for _, n := range o.names {
				if seen[n] {
					t.Errorf("%s: -%s is declared twice", command, n)
				}
				seen[n] = true
			}
			if !o.hidden && o.doc == "" {
				t.Errorf("%s: -%s has no description", command, o.names[0])
			}
		}
	}
}

// -d is the key execution.attached; the configuration may say it too.
func TestDetachedRun(t *testing.T) {
	for args, want := range map[string]bool{"job": true, "-d job": false, "-yd job": false, "-Dexecution.attached=false job": false,
		"-d -Dexecution.attached=true job": true} {
		s, err := read("run", runOptions(), strings.Fields(args), true)
		if err != nil {
			t.Fatal(err)
		}
		c := config.New()
		s.apply(c)
		if got := config.Get(c, config.Attached); got != want {
			t.Errorf("%s: attached %t, expected %t", args, got, want)
		}
	}
}
