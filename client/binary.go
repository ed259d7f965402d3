package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/jobbinary"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
)

// modulePath is the module of the SDK.
const modulePath = jobbinary.Module

// checkBinary refuses, with a sentence, a file that is no job binary for the cluster.
func checkBinary(path string, cluster config.Platform) error {
	if _, err := jobbinary.Check(path, path, cluster); err != nil {
		return usage("%w", err)
	}
	return nil
}

// binaryPlatform reads for what an executable file is built.
func binaryPlatform(path string) (config.Platform, error) {
	p, err := jobbinary.PlatformOf(path, path)
	if err != nil {
		return p, usage("%w", err)
	}
	return p, nil
}

// checkProtocol refuses a graph made by an SDK that this release does not serve.
func checkProtocol(g *planpb.JobGraph) error {
	if g.ProtocolMajor == version.Major && g.ProtocolMinor <= version.Minor && g.ProtocolMinor+1 >= version.Minor {
		return nil
	}
	advice := "build the job anew with the SDK of this release"
	if g.ProtocolMajor > version.Major || g.ProtocolMajor == version.Major && g.ProtocolMinor > version.Minor {
		advice = "use a weft command and a session as new as the SDK"
	}
	return usage("the job is built with SDK %s (protocol %d.%d), this release speaks protocol %d.%d: %s",
		g.SdkVersion, g.ProtocolMajor, g.ProtocolMinor, version.Major, version.Minor, advice)
}

// jobBinaries are the programs of one job: the one that is uploaded and the one that makes the plan, the same where the
// client runs what the cluster runs.
type jobBinaries struct {
	cluster, plan string
	// name is what people call the job.
	name string
	// cleanup removes what was built; nil when nothing was.
	cleanup func()
}

func (b *jobBinaries) close() {
	if b.cleanup != nil {
		b.cleanup()
	}
}

// clientPlatform is what this process runs on.
func clientPlatform() config.Platform { return jobbinary.Own() }

// errIsDirectory marks that JOB is a directory.
var errIsDirectory = errors.New("is a directory")

// job says whether JOB is a binary or a directory.
func statJob(path string) error {
	if strings.Contains(path, "://") {
		return usage("job %s is not a path of this machine: run-application -t yarn-application, whose main runs in the cluster, takes such a job", path)
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		hint := ""
		if !strings.ContainsAny(path, "/\\") && exists("./"+path+".go") {
			hint = ": give the package's directory, not a file"
		}
		return usage("there is no job %s%s", path, hint)
	case err != nil:
		return usage("job: %w", err)
	case st.IsDir():
		return errIsDirectory
	case !st.Mode().IsRegular():
		return usage("job %s is neither a file nor a directory", path)
	case strings.HasSuffix(path, ".go"):
		return usage("job %s is a source file: give its package's directory, %s", path, filepath.Dir(path))
	}
	return nil
}

// formatSize writes a number of bytes for people.
func formatSize(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
