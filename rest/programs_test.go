package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
	"github.com/weft-project/weft/rpc/controlpb"
)

// runner is a backend that notes what it should run.
type runner struct {
	*resttest.Backend
	requests []rest.ProgramRequest
	kept     []rest.Program
	fail     error
}

// PlanProgram is rest.Programs'.
func (p *runner) PlanProgram(_ context.Context, r rest.ProgramRequest) (rest.Plan, error) {
	p.requests = append(p.requests, r)
	return rest.Plan{JobID: r.Job.String(), Name: "count"}, p.fail
}

// RunProgram is rest.Programs'.
func (p *runner) RunProgram(_ context.Context, r rest.ProgramRequest) (id.Job, error) {
	p.requests = append(p.requests, r)
	return r.Job, p.fail
}

func (p *runner) keep(_ context.Context, program rest.Program) (*controlpb.BlobRef, error) {
	p.kept = append(p.kept, program)
	return &controlpb.BlobRef{Sha256: program.SHA256, Size: program.Size, Uri: "store:", Name: program.Name}, nil
}

// uploaded gives a function that sends requests for a program that was uploaded.
func uploaded(t *testing.T) (*runner, func(method, target, body string) (int, string)) {
	t.Helper()
	jars, _ := newJars(t)
	p := &runner{Backend: resttest.Sample()}
	h := newHandler(t, p, func(o *rest.Options) { o.Jars, o.KeepProgram = jars, p.keep })
	body, kind := form(t, "count", "program")
	var up rest.JarUpload
	a := ask(h, "POST", "/jars/upload", body, map[string]string{"Content-Type": kind})
	if err := json.Unmarshal(a.Body.Bytes(), &up); err != nil {
		t.Fatal(err)
	}
	return p, func(method, target, body string) (int, string) {
		a := ask(h, method, "/v1/jars/"+path.Base(up.FileName)+target, body, map[string]string{"Content-Type": "application/json"})
		return a.Code, a.Body.String()
	}
}

const someJob = "00112233445566778899aabbccddeeff"

// What body and query say becomes the request; the body wins.
func TestRunProgram(t *testing.T) {
	p, send := uploaded(t)
	for _, c := range []struct {
		method, target, body string
		args                 []string
		config               map[string]string
	}{
		{"POST", "/run", "", nil, nil},
		{"POST", "/run", "{}", nil, nil},
		{"POST", "/run", `{"programArgs":"-input 'a b' -x \"\" --y=\"1 2\"3","parallelism":3}`, []string{"-input", "a b", "-x", "", "--y=1 23"}, map[string]string{"parallelism.default": "3"}},
		{"POST", "/run?parallelism=5&program-args=-a", `{"programArgsList":["-b","c,d e"],"parallelism":4,"entryClass":"example.com/count"}`, []string{"-b", "c,d e"}, map[string]string{"parallelism.default": "4"}},
		{"POST", "/run?parallelism=5&program-args=-a+b&entry-class=example.com/count&allowNonRestoredState=true&savepointPath=", `{"flinkConfiguration":{"k":"v"},"restoreMode":null}`,
			[]string{"-a", "b"}, map[string]string{"k": "v", "parallelism.default": "5"}},
		{"GET", "/plan?programArg=-a,b&programArg=c", "", []string{"-a", "b", "c"}, nil},
		{"POST", "/plan", `{"jobId":"` + someJob + `","newer":1}`, nil, nil},
	} {
		p.requests = nil
		status, answer := send(c.method, c.target, c.body)
		if status != 200 || len(p.requests) != 1 {
			t.Errorf("%s %s %s: %d %s", c.method, c.target, c.body, status, answer)
			continue
		}
		r := p.requests[0]
		if !slices.Equal(r.Args, c.args) || !maps.Equal(r.Config, c.config) || r.Binary.GetUri() != "store:" || !strings.Contains(answer, `"`+r.Job.String()+`"`) {
			t.Errorf("%s %s %s: %+v, %s", c.method, c.target, c.body, r, answer)
		}
		if strings.Contains(c.body, someJob) && r.Job.String() != someJob {
			t.Errorf("job %s", r.Job)
		}
	}
	if _, answer := send("POST", "/run", ""); !strings.HasPrefix(answer, `{"jobid":"`) {
		t.Errorf("run: %s", answer)
	}
	if _, answer := send("GET", "/plan", ""); !strings.HasPrefix(answer, `{"plan":{"jid":"`) {
		t.Errorf("plan: %s", answer)
	}
	// The SHA-256 of "program".
	if k := p.kept[0]; k.SHA256 != "1310ca2c8932dbd118668bd97442558a3e1f546b5e15c69699dfbd6024f548d8" || k.Size != 7 || k.Name != "count" {
		t.Errorf("%+v", k)
	}
}

func TestRunProgramRefusals(t *testing.T) {
	p, send := uploaded(t)
	for _, c := range []struct {
		target, body string
		status       int
		says         string
	}{
		{"/run", `{"entryClass":"org.example.Count"}`, 400, `the one entry "example.com/count"`},
		{"/run", `{"programArgs":"-a","programArgsList":["-b"]}`, 400, "use programArgsList only"},
		{"/run", `{"programArgs":"-a 'b"}`, 400, "not closed"},
		{"/run", `{"parallelism":0}`, 400, "from 1 to"},
		{"/run", `{"parallelism":"many"}`, 400, "not a JSON document of this request"},
		{"/run?parallelism=many", "", 400, `"many"`},
		{"/run", `{"jobId":"x"}`, 400, "32 hexadecimal digits"},
		{"/run", "[]", 400, "not a JSON document"},
		{"/run", `{"programArgsList":["` + strings.Repeat("x", 70_000) + `"]}`, 400, "at most 65536"},
		{"/run", `{"programArgsList":["` + strings.Repeat("x", 1<<20) + `"]}`, 413, "larger than"},
		{"/run", `{"programArgsList":["a\u0000b"]}`, 400, "zero byte"},
		{"x/run", "", 404, "no program was uploaded"},
	} {
		status, answer := send("POST", c.target, c.body)
		if status != c.status || !strings.Contains(firstError(t, []byte(answer)), c.says) {
			t.Errorf("%s %.60s: %d %s", c.target, c.body, status, answer)
		}
	}
	if len(p.requests) != 0 || len(p.kept) != 0 {
		t.Errorf("%v, %v", p.requests, p.kept)
	}
	p.fail = rest.Invalid("main ended without calling Execute")
	if status, answer := send("POST", "/run", ""); status != 400 || !strings.Contains(answer, "without calling Execute") {
		t.Errorf("%d %s", status, answer)
	}
	p.fail = errors.New("disk on fire")
	if status, _ := send("GET", "/plan", ""); status != 500 {
		t.Errorf("%d", status)
	}
}
