package client

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/weft-project/weft/client/doctor"
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/plural"
	"github.com/weft-project/weft/security/identity"
)

// Doctor says how Client.Doctor works.
type Doctor struct {
	// JSON asks for one document in the place of lines.
	JSON bool
	// Patience bounds each question to a server; 0 is a default.
	Patience time.Duration
	// OpenFiles makes file systems that wait for nobody.
	OpenFiles func(conf *hadoopconf.Conf, who *identity.Identity, log *slog.Logger) (*fs.Registry, error)
}

// Doctor looks at this machine and the cluster as a first job would, and prints what it finds. Problems are a *Failure with the
// exit code of what is to be mended first: configuration, then servers, then the cluster's refusals.
func (c *Client) Doctor(ctx context.Context, o Doctor) error {
	options := doctor.Options{
		Config: c.Config, ConfDir: c.ConfDir, Hadoop: c.Hadoop, Who: c.identityOn, Getenv: c.Getenv, OpenFiles: o.OpenFiles,
		CheckSizes: checkSizes, Log: c.Log, Patience: o.Patience,
	}
	if !o.JSON {
		options.Tell = func(f doctor.Finding) { c.Console.Print("%s", f) }
	}
	report, err := doctor.Run(ctx, options)
	if err != nil {
		return err
	}
	if o.JSON {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		c.Console.Print("%s", text)
	}
	if report.Problems > 0 {
		code := ExitFailed
		switch report.Cause() {
		case doctor.CauseSettings:
			code = ExitUsage
		case doctor.CauseUnreachable:
			code = ExitUnreachable
		}
		return &Failure{code, fmt.Errorf("%s to mend before a job can run here", plural.Of(report.Problems, "problem"))}
	}
	if !o.JSON && report.Warnings > 0 {
		c.Console.Say("Jobs can run here; %s.", plural.Of(report.Warnings, "warning"))
	} else if !o.JSON {
		c.Console.Say("Jobs can run here.")
	}
	return nil
}
