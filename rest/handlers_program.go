package rest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/id"
)

const (
	// programTimeout is for running a program's main: it may wait for a slot, the program is brought there, main has its own limit.
	programTimeout = 30 * time.Minute
	// maxProgramArgs bounds a program's arguments, in bytes.
	maxProgramArgs = 64 << 10
	// maxJarRun bounds the body of a request, in bytes.
	maxJarRun = 1 << 20
	// maxParallelism bounds ?parallelism=.
	maxParallelism = 1 << 15
)

// JarRunBody is the body of POST /jars/:jarid/run and …/plan. What it does not say, the query may.
type JarRunBody struct {
	// EntryClass may name the program's main package, of which it has one.
	EntryClass *string `json:"entryClass,omitempty"`
	// ProgramArgs are split as a shell does; ProgramArgsList is taken as it is. Only one of them may be given.
	ProgramArgs     *string  `json:"programArgs,omitempty"`
	ProgramArgsList []string `json:"programArgsList,omitempty"`
	Parallelism     *int     `json:"parallelism,omitempty"`
	JobID           *string  `json:"jobId,omitempty"`
	// Configuration is what the options -D of a command line would say.
	Configuration map[string]string `json:"flinkConfiguration,omitempty"`
	// SavepointPath is what the job starts from; without one the others below say nothing.
	SavepointPath         *string `json:"savepointPath,omitempty"`
	AllowNonRestoredState *bool   `json:"allowNonRestoredState,omitempty"`
	RestoreMode           *string `json:"restoreMode,omitempty"`
	ClaimMode             *string `json:"claimMode,omitempty"`
}

// JarRun answers POST /jars/:jarid/run.
type JarRun struct {
	JobID string `json:"jobid"`
}

func handleJarRun(s *Server, w http.ResponseWriter, r *http.Request) error {
	programs, request, err := s.program(w, r)
	if err != nil {
		return err
	}
	job, err := programs.RunProgram(r.Context(), request)
	if err != nil {
		return err
	}
	s.log.Info("an uploaded program was submitted", "jar", r.PathValue("jarid"), "job", job, "peer", r.RemoteAddr)
	return writeJSON(w, &JarRun{JobID: job.String()})
}

func handleJarPlan(s *Server, w http.ResponseWriter, r *http.Request) error {
	if err := refuseTicket(r, "POST "+r.URL.Path); err != nil {
		return err
	}
	programs, request, err := s.program(w, r)
	if err != nil {
		return err
	}
	plan, err := programs.PlanProgram(r.Context(), request)
	if err != nil {
		return err
	}
	return writeJSON(w, &JobPlan{Plan: plan})
}

// program reads what is to be run, and brings it to where TaskManagers can read it.
func (s *Server) program(w http.ResponseWriter, r *http.Request) (Programs, ProgramRequest, error) {
	jars, err := s.uploads()
	if err != nil {
		return nil, ProgramRequest{}, err
	}
	programs, ok := s.backend.(Programs)
	if !ok || s.keep == nil {
		return nil, ProgramRequest{}, NotFound("this cluster runs no uploaded programs")
	}
	jar, err := jars.get(r.PathValue("jarid"))
	if err != nil {
		return nil, ProgramRequest{}, err
	}
	body, err := readJarRun(r)
	if err != nil {
		return nil, ProgramRequest{}, err
	}
	request, err := body.request(&jar)
	if err != nil {
		return nil, ProgramRequest{}, err
	}
	control := http.NewResponseController(w)
	deadline := time.Now().Add(programTimeout)
	for _, set := range []func(time.Time) error{control.SetReadDeadline, control.SetWriteDeadline} {
		if err := set(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return nil, request, err
		}
	}
	request.Binary, err = s.keep(r.Context(), jar.program)
	return programs, request, err
}

// readJarRun reads body and query; the body wins, as in Flink.
func readJarRun(r *http.Request) (*JarRunBody, error) {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxJarRun))
	if err != nil {
		return nil, broken(err)
	}
	body := &JarRunBody{}
	// Keys that are not known are ignored: Flink's clients may send more.
	if len(strings.TrimSpace(string(text))) > 0 {
		if err := json.Unmarshal(text, body); err != nil {
			return nil, Invalid("the body is not a JSON document of this request: %v", err)
		}
	}
	return body, body.fill(r.URL.Query())
}

// fill takes from the query what the body does not say.
func (b *JarRunBody) fill(q url.Values) error {
	for name, to := range map[string]**string{"entry-class": &b.EntryClass, "savepointPath": &b.SavepointPath} {
		if *to == nil && q.Has(name) {
			text := q.Get(name)
			*to = &text
		}
	}
	if b.ProgramArgs == nil && b.ProgramArgsList == nil {
		if q.Has("program-args") {
			text := q.Get("program-args")
			b.ProgramArgs = &text
		}
		for _, list := range q["programArg"] {
			b.ProgramArgsList = append(b.ProgramArgsList, strings.Split(list, ",")...)
		}
	}
	if text := q.Get("allowNonRestoredState"); b.AllowNonRestoredState == nil && text != "" {
		allow := strings.EqualFold(text, "true")
		b.AllowNonRestoredState = &allow
	}
	if text := q.Get("parallelism"); b.Parallelism == nil && text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return Invalid("parameter parallelism: %.40q is not a number", text)
		}
		b.Parallelism = &n
	}
	return nil
}

// request checks what is asked for.
func (b *JarRunBody) request(jar *Jar) (ProgramRequest, error) {
	out := ProgramRequest{Job: id.NewJob(), Config: map[string]string{}}
	if c := b.EntryClass; c != nil && *c != "" && !slices.ContainsFunc(jar.Entries, func(e JarEntry) bool { return e.Name == *c }) {
		return out, Invalid("entry class %.200q: %s has the one entry %q, which need not be named", *c, jar.Name, jar.Entries[0].Name)
	}
	for k, v := range b.Configuration {
		out.Config[k] = v
	}
	if p := b.Parallelism; p != nil {
		if *p < 1 || *p > maxParallelism {
			return out, Invalid("parallelism %d: expected a number from 1 to %d", *p, maxParallelism)
		}
		out.Config[config.DefaultParallelism.Key] = strconv.Itoa(*p)
	}
	if p := b.SavepointPath; p != nil && *p != "" {
		out.Config[config.RestorePath.Key] = *p
		if b.AllowNonRestoredState != nil && *b.AllowNonRestoredState {
			out.Config[config.RestoreIgnoreUnclaimed.Key] = "true"
		}
		for _, mode := range []*string{b.RestoreMode, b.ClaimMode} {
			if mode != nil && *mode != "" {
				out.Config[config.RestoreClaimMode.Key] = *mode
			}
		}
	}
	var err error
	if text := b.JobID; text != nil && *text != "" {
		if out.Job, err = id.ParseJob(*text); err != nil {
			return out, Invalid("jobId %.80q: expected 32 hexadecimal digits or nothing", *text)
		}
	}
	out.Args, err = b.args()
	return out, err
}

// args are the program's arguments.
func (b *JarRunBody) args() ([]string, error) {
	out := b.ProgramArgsList
	if text := b.ProgramArgs; text != nil && *text != "" {
		if len(out) > 0 {
			return nil, Invalid("both programArgs and programArgsList are given: use programArgsList only")
		}
		var err error
		if out, err = splitArgs(*text); err != nil {
			return nil, err
		}
	}
	size := 0
	for _, a := range out {
		size += len(a) + 1
		if strings.ContainsRune(a, 0) {
			return nil, Invalid("argument %.80q of the program has a zero byte", a)
		}
	}
	if size > maxProgramArgs {
		return nil, Invalid("the program's arguments have %d bytes: expected at most %d", size, maxProgramArgs)
	}
	return out, nil
}

// splitArgs splits a text into arguments: blanks separate them, quotation marks of both kinds keep them together.
func splitArgs(text string) ([]string, error) {
	var out []string
	var arg strings.Builder
	quote, begun := rune(0), false
	for _, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			arg.WriteRune(c)
		case c == '"' || c == '\'':
			quote, begun = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if begun {
				out = append(out, arg.String())
				arg.Reset()
				begun = false
			}
		default:
			arg.WriteRune(c)
			begun = true
		}
	}
	if quote != 0 {
		return nil, Invalid("programArgs %.200q: a quotation mark %c is not closed", text, quote)
	}
	if begun {
		out = append(out, arg.String())
	}
	return out, nil
}
