package jobbinary

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/weft-project/weft/config"
)

// Module is the module of the SDK.
const Module = "github.com/weft-project/weft"

// Own is what this process runs on.
func Own() config.Platform { return config.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH} }

// CheckOwn is Check for the platform of this process, which on a cluster is the cluster's.
func CheckOwn(path, name string) (string, error) { return Check(path, name, Own()) }

// Check refuses, with a sentence that calls it name, a file that is no job binary for the cluster. It gives the import path of the
// program's main package.
func Check(path, name string, cluster config.Platform) (string, error) {
	if strings.EqualFold(filepath.Ext(name), ".jar") {
		return "", fmt.Errorf("%s is a .jar: Weft runs jobs written in Go, built to one binary; see docs/coming-from-flink.md", name)
	}
	platform, err := PlatformOf(path, name)
	if err != nil {
		return "", err
	}
	if platform != cluster {
		return "", fmt.Errorf("%s is built for %s, but containers of the cluster run %s: build it with GOOS=%s GOARCH=%s, or give the package's directory to weft run (weft.cluster.platform says what the cluster is)",
			name, platform, cluster, cluster.OS, cluster.Arch)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s is no Go program (%w): a job is a Go program that uses %s/stream", name, err, Module)
	}
	if info.Path == Module+"/cmd/weft" {
		return "", fmt.Errorf("%s is the weft command itself, not a job", name)
	}
	if info.Main.Path == Module {
		return info.Path, nil
	}
	for _, dep := range info.Deps {
		if dep.Path == Module {
			return info.Path, nil
		}
	}
	return "", fmt.Errorf("%s is not built with Weft's SDK: its main must use %s/stream; weft init DIR writes a job to start from", name, Module)
}

// PlatformOf reads for what an executable file, called name, is built.
func PlatformOf(path, name string) (config.Platform, error) {
	f, err := os.Open(path)
	if err != nil {
		return config.Platform{}, fmt.Errorf("job: %w", err)
	}
	defer f.Close()
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err != nil {
		return config.Platform{}, fmt.Errorf("%s is not a program: it is only a few bytes long", name)
	}
	switch {
	case bytes.Equal(head, []byte(elf.ELFMAG)):
		e, err := elf.NewFile(f)
		if err != nil {
			return config.Platform{}, fmt.Errorf("%s is a damaged program: %w", name, err)
		}
		return config.Platform{OS: "linux", Arch: elfArch(e)}, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return config.Platform{}, fmt.Errorf("%s is an archive (a jar?): Weft runs jobs written in Go, built to one binary; see docs/coming-from-flink.md", name)
	case bytes.HasPrefix(head, []byte("#!")):
		return config.Platform{}, fmt.Errorf("%s is a script: a job is a Go program, built to one binary", name)
	}
	if m, err := macho.NewFile(f); err == nil {
		arch := map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[m.Cpu]
		return config.Platform{OS: "darwin", Arch: arch}, nil
	}
	if p, err := pe.NewFile(f); err == nil {
		arch := map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}[p.Machine]
		return config.Platform{OS: "windows", Arch: arch}, nil
	}
	return config.Platform{}, fmt.Errorf("%s is neither a program nor a directory with a Go package", name)
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
