package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/security/identity"
	"github.com/weft-project/weft/yarnrpc"
)

// Status is how a check ended.
type Status string

// The three ends of a check. A warning keeps no job from running, a problem does.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Problem Status = "problem"
)

// Cause says what kind of thing is wrong, for the exit code of the command.
type Cause int

// Causes, by what has to be mended.
const (
	// CauseNone: nothing is wrong.
	CauseNone Cause = iota
	// CauseCluster: the cluster refuses what a job would need.
	CauseCluster
	// CauseUnreachable: a server does not answer.
	CauseUnreachable
	// CauseSettings: a configuration, or a wish in it, is wrong.
	CauseSettings
)

// Finding is what one check has to say, in a line.
type Finding struct {
	// Check names what was looked at: "configuration", "clock", "queue".
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Text says what was found; Mend what to do about it, empty where nothing is to be done.
	Text string `json:"text"`
	Mend string `json:"mend,omitempty"`
	// Cause is CauseNone unless Status is Problem.
	Cause Cause `json:"-"`
}

// String is the line for people.
func (f Finding) String() string {
	line := fmt.Sprintf("%-8s %-16s %s", f.Status, f.Check, f.Text)
	if f.Mend != "" {
		line += "; " + f.Mend
	}
	return line
}

// Report is the end of an examination.
type Report struct {
	Status   Status    `json:"status"`
	Findings []Finding `json:"checks"`
	// Warnings and Problems count.
	Warnings int `json:"warnings"`
	Problems int `json:"problems"`
}

// Cause is what is to be mended first: settings before servers before the rest.
func (r Report) Cause() Cause {
	worst := CauseNone
	for _, f := range r.Findings {
		worst = max(worst, f.Cause)
	}
	return worst
}

// Options say what to look at.
type Options struct {
	// Config is Weft's configuration, ConfDir where it was read; empty where there is none.
	Config  *config.Config
	ConfDir string
	// Hadoop reads the Hadoop configuration.
	Hadoop func() (*hadoopconf.Conf, error)
	// Who finds out who we are towards Hadoop.
	Who    func(*hadoopconf.Conf) (*identity.Identity, error)
	Getenv func(string) string
	// OpenFiles makes the file systems, which should not wait long for a server that is away.
	OpenFiles func(conf *hadoopconf.Conf, who *identity.Identity, log *slog.Logger) (*fs.Registry, error)
	// CheckSizes says what is wrong with containers of these sizes on these nodes.
	CheckSizes func(s spec.Sizes, most yarnrpc.Resource, nodes []yarnrpc.NodeReport) error
	Log        *slog.Logger
	// Tell gets each finding as it comes; nil for none.
	Tell func(Finding)
	// Patience bounds each single question to a server; 0 is 10 s.
	Patience time.Duration
	// Dial and LookupHost stand in for the network in tests; nil is the real one.
	Dial       func(ctx context.Context, network, address string) (net.Conn, error)
	LookupHost func(ctx context.Context, host string) ([]string, error)
	Now        func() time.Time
}

const defaultPatience = 10 * time.Second

// examination is one run of the checks, with what earlier ones have found for later ones.
type examination struct {
	Options
	report Report
	hadoop *hadoopconf.Conf
	// who we are to the cluster, and the name that counts there.
	who  *identity.Identity
	user string
	// sizes are the containers that a session would ask for; zero where the configuration does not give any.
	sizes spec.Sizes
	// rm is the client of a ResourceManager that answers; nil when none does.
	rm    *yarnrpc.ClientRM
	nodes []yarnrpc.NodeReport
	// spoken tells with which kinds of servers the handshake went well: what rests on the others is not looked at.
	spoken map[string]bool
	web    *webClient
}

// Run makes all checks. The error is that of ctx: whatever is wrong with machine or cluster is in the report.
func Run(ctx context.Context, o Options) (Report, error) {
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.LookupHost == nil {
		o.LookupHost = net.DefaultResolver.LookupHost
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &examination{Options: o, report: Report{Status: OK}, spoken: map[string]bool{}}
	defer e.close()
	for _, check := range []func(context.Context) bool{
		e.configuration, e.names, e.ports, e.whoWeAre, e.servers, e.clocks, e.versions, e.yarn, e.httpKeys, e.homeDirectory,
	} {
		goesOn := check(ctx)
		if ctx.Err() != nil {
			return e.report, context.Cause(ctx)
		}
		if !goesOn {
			break
		}
	}
	return e.report, nil
}

func (e *examination) close() {
	if e.rm != nil {
		e.rm.Close()
	}
	if e.web != nil {
		e.web.close()
	}
}

// asking bounds one question.
func (e *examination) asking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, e.Patience, fmt.Errorf("no answer within %v", e.Patience))
}

// add notes a finding and tells it.
func (e *examination) add(f Finding) {
	e.report.Findings = append(e.report.Findings, f)
	switch f.Status {
	case Warning:
		e.report.Warnings++
		if e.report.Status == OK {
			e.report.Status = Warning
		}
	case Problem:
		e.report.Problems++
		e.report.Status = Problem
	}
	if e.Tell != nil {
		e.Tell(f)
	}
}

func (e *examination) ok(check, format string, args ...any) {
	e.add(Finding{Check: check, Status: OK, Text: fmt.Sprintf(format, args...)})
}

func (e *examination) warn(check, mend, format string, args ...any) {
	e.add(Finding{Check: check, Status: Warning, Text: fmt.Sprintf(format, args...), Mend: mend})
}

func (e *examination) wrong(cause Cause, check, mend, format string, args ...any) {
	e.add(Finding{Check: check, Status: Problem, Text: fmt.Sprintf(format, args...), Mend: mend, Cause: cause})
}
