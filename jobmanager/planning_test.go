package jobmanager_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// ran is what became of a program.
type ran struct {
	job  id.Job
	plan rest.Plan
	err  error
}

// program asks for a program to be run, or only planned.
func (c *cluster) program(ctx context.Context, run bool, r rest.ProgramRequest) chan ran {
	c.t.Helper()
	if r.Job.IsZero() {
		r.Job = id.NewJob()
	}
	r.Binary = &controlpb.BlobRef{Sha256: "00", Uri: "file:///job", Name: "count"}
	programs, ok := c.backend.(rest.Programs)
	if !ok {
		c.t.Fatal("the backend runs no programs")
	}
	out := make(chan ran, 1)
	go func() {
		var o ran
		if run {
			o.job, o.err = programs.RunProgram(ctx, r)
		} else {
			o.plan, o.err = programs.PlanProgram(ctx, r)
		}
		out <- o
	}()
	return out
}

func (tm *fakeTM) startPlan() *controlpb.StartPlan {
	tm.t.Helper()
	m := tm.next()
	if m.GetStartPlan() == nil {
		tm.unexpected("StartPlan", m)
	}
	return m.GetStartPlan()
}

func (tm *fakeTM) planned(p *controlpb.Planned) {
	tm.t.Helper()
	tm.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_Planned{Planned: p}})
}

// refused gives the sentence and checks the status of an error.
func refused(t *testing.T, o ran, status int, says string) {
	t.Helper()
	var known *rest.Error
	if !errors.As(o.err, &known) || known.Status != status || !strings.Contains(known.Message, says) {
		t.Errorf("%v: expected status %d and %q", o.err, status, says)
	}
}

// A program's main has a slot while it runs; the job that it hands over is submitted as any other.
func TestRunProgram(t *testing.T) {
	c := start(t, 1, map[string]string{"containerized.taskmanager.env.COLOUR": "red", "my.password": "hush"})
	job := id.NewJob()
	answer := c.program(t.Context(), true, rest.ProgramRequest{Job: job, Args: []string{"-x"}, Config: map[string]string{"parallelism.default": "1", "my.token": "hush"}})
	c.requires(1)
	tm := c.tm("a", 1)
	p := tm.startPlan()
	if p.GetJobId() != job.String() || !p.GetWhole() || !slices.Equal(p.GetArgs(), []string{"-x"}) || p.GetEnvironment()["COLOUR"] != "red" ||
		p.GetConfig()["parallelism.default"] != "1" || p.GetTimeoutMs() != 120_000 || p.GetBinary().GetName() != "count" {
		t.Errorf("%v", p)
	}
	if strings.Contains(p.String(), "hush") {
		t.Errorf("secrets reach main: %v", p)
	}
	// The slot is taken, for this job, and not for another.
	d, err := c.backend.TaskManager(t.Context(), "a")
	if err != nil || d.FreeSlots != 0 || len(d.AllocatedSlots) != 1 || d.AllocatedSlots[0].JobID != job.String() {
		t.Errorf("%+v, %v", d, err)
	}
	other := c.run(1)
	c.requires(2)
	tm.planned(&controlpb.Planned{Id: "another", Graph: graph(1)})
	tm.planned(&controlpb.Planned{Id: p.GetId(), Graph: graph(1)})
	// The job that has waited longer gets the slot first.
	s := tm.startWorker()
	if s.GetJobId() != other.String() {
		t.Errorf("worker of %s", s.GetJobId())
	}
	o := <-answer
	if o.err != nil || o.job != job {
		t.Fatalf("%v, %v", o.job, o.err)
	}
	b := c.tm("b", 1)
	s = b.startWorker()
	if s.GetJobId() != job.String() || !slices.Equal(s.GetArgs(), []string{"-x"}) || s.GetEnvironment()["COLOUR"] != "red" || s.GetBinary().GetName() != "count" ||
		s.GetConfig()["parallelism.default"] != "1" || strings.Contains(s.String(), "hush") {
		t.Errorf("%v", s)
	}
	again := <-c.program(t.Context(), true, rest.ProgramRequest{Job: job})
	refused(t, again, http.StatusConflict, "submitted already")
}

// A plan is shown, nothing is submitted, and the slot is free again.
func TestPlanProgram(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	for _, test := range []struct {
		reply  *controlpb.Planned
		status int
		says   string
	}{
		{reply: &controlpb.Planned{Graph: graph(2)}},
		{&controlpb.Planned{Error: "main ended without calling Execute; its output:\nno licence"}, http.StatusBadRequest, "no licence"},
		{&controlpb.Planned{Error: "disk full", External: true}, http.StatusInternalServerError, "planning on TaskManager a: disk full"},
		{&controlpb.Planned{Graph: &planpb.JobGraph{ProtocolMajor: 1}}, http.StatusBadRequest, "without vertices"},
		{&controlpb.Planned{Graph: &planpb.JobGraph{ProtocolMajor: 77, SdkVersion: "77.1", Vertices: graph(1).GetVertices()}}, http.StatusBadRequest, "SDK 77.1"},
	} {
		answer := c.program(t.Context(), false, rest.ProgramRequest{})
		p := tm.startPlan()
		if p.GetWhole() {
			t.Error("main is followed to its end")
		}
		test.reply.Id = p.GetId()
		tm.planned(test.reply)
		o := <-answer
		if test.status != 0 {
			refused(t, o, test.status, test.says)
		} else if o.err != nil || o.plan.Name != "word count" || len(o.plan.Nodes) != 2 {
			t.Errorf("%+v, %v", o.plan, o.err)
		}
		if d, err := c.backend.TaskManager(t.Context(), "a"); err != nil || d.FreeSlots != 1 {
			t.Errorf("the slot is not free: %v", err)
		}
	}
	if jobs, err := c.backend.Jobs(t.Context()); err != nil || len(jobs) != 0 {
		t.Errorf("%v, %v", jobs, err)
	}
	o := <-c.program(t.Context(), false, rest.ProgramRequest{Config: map[string]string{"taskmanager.numberOfTaskSlots": "many"}})
	refused(t, o, http.StatusBadRequest, "many")
}

// Whoever asked goes away: main is ended, and its slot is free when it is gone, not before.
func TestProgramIsGivenUp(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	ctx, cancel := context.WithCancel(t.Context())
	answer := c.program(ctx, true, rest.ProgramRequest{})
	p := tm.startPlan()
	waiting := c.program(ctx, true, rest.ProgramRequest{})
	c.requires(2)
	cancel()
	for _, a := range []chan ran{answer, waiting} {
		if o := <-a; !errors.Is(o.err, context.Canceled) {
			t.Errorf("%v", o.err)
		}
	}
	if m := tm.next(); m.GetStopPlan().GetId() != p.GetId() {
		tm.unexpected("StopPlan", m)
	}
	c.requires(1)
	if d, err := c.backend.TaskManager(t.Context(), "a"); err != nil || d.FreeSlots != 0 {
		t.Errorf("%+v, %v", d, err)
	}
	tm.planned(&controlpb.Planned{Id: p.GetId(), Error: "nobody waits for it any more"})
	job := c.run(1)
	if s := tm.startWorker(); s.GetJobId() != job.String() {
		t.Errorf("%v", s)
	}
}

// A TaskManager that is lost and slots that do not come are told.
func TestProgramWithoutTaskManager(t *testing.T) {
	c := start(t, 1, map[string]string{"slot.request.timeout": "1 s"})
	tm := c.tm("a", 1)
	answer := c.program(t.Context(), false, rest.ProgramRequest{})
	tm.startPlan()
	tm.cut()
	refused(t, <-answer, http.StatusServiceUnavailable, "TaskManager a was lost")
	refused(t, <-c.program(t.Context(), false, rest.ProgramRequest{}), http.StatusServiceUnavailable, "main of the program needs 1 slots and did not get them within 1s")
}

func TestProgramWithoutResources(t *testing.T) {
	c := start(t, 1, nil)
	answer := c.program(t.Context(), false, rest.ProgramRequest{})
	events := c.say()
	c.requires(1)
	events.RequestFailed("the queue is closed")
	refused(t, <-answer, http.StatusServiceUnavailable, "the queue is closed")
}

func TestProgramsAtTheEnd(t *testing.T) {
	c := start(t, 1, nil)
	waiting := c.program(t.Context(), false, rest.ProgramRequest{})
	c.requires(1)
	if err := c.backend.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o := <-waiting; !errors.Is(o.err, jobmanager.ErrStopped) {
		refused(t, o, http.StatusServiceUnavailable, "being shut down")
	}
	if err := c.result(); err != nil {
		t.Error(err)
	}
}

// So many programs at the same time, and no more; clusters for one job's main take none.
func TestProgramsAreBounded(t *testing.T) {
	c := start(t, 1, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var all []chan ran
	for range 16 {
		all = append(all, c.program(ctx, false, rest.ProgramRequest{}))
	}
	c.requires(16)
	refused(t, <-c.program(ctx, false, rest.ProgramRequest{}), http.StatusServiceUnavailable, "16 programs are being planned")
	cancel()
	for _, a := range all {
		<-a
	}
	c.requires(0)
}

func TestNoProgramsBesideAMain(t *testing.T) {
	c := startTarget(t, 1, nil, "yarn-application")
	refused(t, <-c.program(t.Context(), true, rest.ProgramRequest{}), http.StatusConflict, "its own main")
}

func (tm *fakeTM) fileRequest() *controlpb.FileRequest {
	tm.t.Helper()
	m := tm.next()
	if m.GetFile() == nil {
		tm.unexpected("FileRequest", m)
	}
	return m.GetFile()
}

// Files of TaskManagers are asked for one piece at a time.
func TestTaskManagerFiles(t *testing.T) {
	c := start(t, 1, nil)
	tm := c.tm("a", 1)
	files := c.backend.(rest.TaskManagerFiles)
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	ask := func(f func() (string, error)) {
		text, err := f()
		answers <- answer{text, err}
	}
	piece := func(kind rest.LogKind) func() (string, error) {
		return func() (string, error) {
			p, err := files.TaskManagerLog(t.Context(), rest.LogRequest{TaskManager: "a", Kind: kind, Name: "x.log", Offset: 5})
			return p.File.Name + string(p.Data), err
		}
	}
	reply := func(r *controlpb.FileReply) *controlpb.FileRequest {
		q := tm.fileRequest()
		r.Id = q.GetId() + 1000
		tm.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_File{File: r}})
		r.Id = q.GetId()
		tm.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_File{File: r}})
		return q
	}
	go ask(func() (string, error) {
		list, err := files.TaskManagerLogs(t.Context(), "a")
		return list[0].Name, err
	})
	reply(&controlpb.FileReply{Files: []*controlpb.LoggedFile{{Name: "x.log", Size: 9, ModifiedMs: 1}}})
	if a := <-answers; a.text != "x.log" || a.err != nil {
		t.Errorf("%v", a)
	}
	kinds := map[rest.LogKind]controlpb.FileKind{rest.NamedLog: controlpb.FileKind_NAMED_FILE, rest.OwnLog: controlpb.FileKind_OWN_LOG, rest.OwnOutput: controlpb.FileKind_OWN_OUTPUT}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		go ask(piece(kind))
		q := reply(&controlpb.FileReply{Files: []*controlpb.LoggedFile{{Name: "x.log"}}, Data: []byte(" data")})
		if a := <-answers; a.text != "x.log data" || a.err != nil || q.GetKind() != kinds[kind] || q.GetOffset() != 5 || q.GetLimit() < 1<<10 {
			t.Errorf("%v: %v, %v", kind, q, a)
		}
	}
	go ask(func() (string, error) { return files.Goroutines(t.Context(), "a") })
	reply(&controlpb.FileReply{Data: []byte("goroutine 1")})
	if a := <-answers; a.text != "goroutine 1" || a.err != nil {
		t.Errorf("%v", a)
	}
	for _, test := range []struct {
		reply  *controlpb.FileReply
		status int
	}{
		{&controlpb.FileReply{Error: "no such log file", Missing: true}, http.StatusNotFound}, {&controlpb.FileReply{Error: "no such log file"}, http.StatusInternalServerError},
	} {
		go ask(piece(rest.OwnLog))
		reply(test.reply)
		refused(t, ran{err: (<-answers).err}, test.status, "no such log file")
	}
	go ask(piece(rest.OwnLog))
	tm.fileRequest()
	tm.cut()
	refused(t, ran{err: (<-answers).err}, http.StatusServiceUnavailable, "TaskManager a was lost")
	_, err := files.Goroutines(t.Context(), "none")
	refused(t, ran{err: err}, http.StatusNotFound, "none")
}
