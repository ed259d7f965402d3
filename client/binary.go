package client

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
)

// modulePath is the module of the SDK.
const modulePath = "github.com/weft-project/weft"

// checkBinary refuses, with a sentence, a file that is no job binary for the cluster.
func checkBinary(path string, cluster config.Platform) error {
	if strings.EqualFold(filepath.Ext(path), ".jar") {
		return usage("%s is a .jar: Weft runs jobs written in Go, built to one binary; see docs/coming-from-flink.md", path)
	}
	platform, err := binaryPlatform(path)
	if err != nil {
		return err
	}
	if platform != cluster {
		return usage("%s is built for %s, but containers of the cluster run %s: build it with GOOS=%s GOARCH=%s, or give the package's directory to weft run (weft.cluster.platform says what the cluster is)",
			path, platform, cluster, cluster.OS, cluster.Arch)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return usage("%s is no Go program (%v): a job is a Go program that uses %s/stream", path, err, modulePath)
	}
	if info.Path == modulePath+"/cmd/weft" {
		return usage("%s is the weft command itself, not a job", path)
	}
	if info.Main.Path == modulePath {
		return nil
	}
	for _, dep := range info.Deps {
		if dep.Path == modulePath {
			return nil
		}
	}
	return usage("%s is not built with Weft's SDK: its main must use %s/stream; weft init DIR writes a job to start from", path, modulePath)
}

// binaryPlatform reads for what an executable file is built.
func binaryPlatform(path string) (config.Platform, error) {
	f, err := os.Open(path)
	if err != nil {
		return config.Platform{}, usage("job: %w", err)
	}
	defer f.Close()
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err != nil {
		return config.Platform{}, usage("%s is not a program: it is only a few bytes long", path)
	}
	switch {
	case bytes.Equal(head, []byte(elf.ELFMAG)):
		e, err := elf.NewFile(f)
		if err != nil {
			return config.Platform{}, usage("%s is a damaged program: %w", path, err)
		}
		return config.Platform{OS: "linux", Arch: elfArch(e)}, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return config.Platform{}, usage("%s is an archive (a jar?): Weft runs jobs written in Go, built to one binary; see docs/coming-from-flink.md", path)
	case bytes.HasPrefix(head, []byte("#!")):
		return config.Platform{}, usage("%s is a script: a job is a Go program, built to one binary", path)
	}
	if m, err := macho.NewFile(f); err == nil {
		arch := map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[m.Cpu]
		return config.Platform{OS: "darwin", Arch: arch}, nil
	}
	if p, err := pe.NewFile(f); err == nil {
		arch := map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}[p.Machine]
		return config.Platform{OS: "windows", Arch: arch}, nil
	}
	return config.Platform{}, usage("%s is neither a program nor a directory with a Go package", path)
}

func elfArch(e *elf.File) string {
	switch e.Machine {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_PPC64:
		if e.Data == elf.ELFDATA2LSB {
			return "ppc64le"
		}
		return "ppc64"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_RISCV:
		return "riscv64"
	}
	return strings.ToLower(strings.TrimPrefix(e.Machine.String(), "EM_"))
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
func clientPlatform() config.Platform { return config.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH} }

// errIsDirectory marks that JOB is a directory.
var errIsDirectory = errors.New("is a directory")

// job says whether JOB is a binary or a directory.
func statJob(path string) error {
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
