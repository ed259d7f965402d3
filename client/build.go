package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/weft-project/weft/config"
)

// prepareJob makes the job's binaries of JOB: a built binary is checked, a package directory is built.
// Without here the plan is not made on this machine.
func (c *Client) prepareJob(ctx context.Context, job, class string, here bool) (*jobBinaries, error) {
	return c.prepareJobFor(ctx, job, class, config.Get(c.Config, config.ClusterPlatform), here)
}

// prepareJobFor is prepareJob for a cluster of that platform.
func (c *Client) prepareJobFor(ctx context.Context, job, class string, cluster config.Platform, here bool) (*jobBinaries, error) {
	err := statJob(job)
	if errors.Is(err, errIsDirectory) {
		return c.buildJob(ctx, job, class, cluster, here)
	}
	if err != nil {
		return nil, err
	}
	if class != "" {
		return nil, usage("-c %s: %s is a binary and has only one program; -c chooses a program of a package directory", class, job)
	}
	if err := checkBinary(job, cluster); err != nil {
		return nil, err
	}
	if here && cluster != clientPlatform() {
		return nil, usage("%s is built for %s and cannot make its plan on this machine (%s): give the package's directory instead, it is then built for both", job, cluster, clientPlatform())
	}
	path, err := filepath.Abs(job)
	if err != nil {
		return nil, usage("job: %w", err)
	}
	return &jobBinaries{cluster: path, plan: path, name: filepath.Base(path)}, nil
}

// buildJob builds a package directory with this release's SDK, in a workspace of its own: the directory and its go.mod are
// not touched.
func (c *Client) buildJob(ctx context.Context, dir, class string, cluster config.Platform, here bool) (*jobBinaries, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, usage("job: %w", err)
	}
	name := filepath.Base(abs)
	pkg := abs
	if class != "" {
		pkg = filepath.Join(abs, "cmd", filepath.FromSlash(class))
		if !exists(pkg) {
			return nil, usage("-c %s: there is no %s", class, filepath.Join(dir, "cmd", class))
		}
		name = class
	}
	given := filepath.Join(dir, strings.TrimPrefix(pkg, abs))
	if err := checkSources(pkg, given); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("go"); err != nil {
		return nil, usage("%s is a directory: to build it the go command must be on the PATH, see https://go.dev/dl; or give a built binary", dir)
	}
	tmp, err := os.MkdirTemp("", "weft-build-")
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", dir, err)
	}
	b := &jobBinaries{name: filepath.Base(name), cleanup: func() {
		if err := os.RemoveAll(tmp); err != nil {
			c.Log.Debug("remove the build's directory", "error", err)
		}
	}}
	build := &goBuild{client: c, tmp: tmp, pkg: pkg, given: given}
	if err := build.workspace(ctx); err != nil {
		b.close()
		return nil, err
	}
	c.Console.Status("Building %s for %s", name, cluster)
	// A directory of its own: a package may be called as something else that lies in tmp.
	bin := filepath.Join(tmp, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		b.close()
		return nil, fmt.Errorf("build %s: %w", dir, err)
	}
	b.cluster = filepath.Join(bin, b.name)
	b.plan = b.cluster
	if err = build.run(ctx, b.cluster, cluster); err == nil && here && cluster != clientPlatform() {
		b.plan = filepath.Join(bin, b.name+"-plan")
		err = build.run(ctx, b.plan, clientPlatform())
	}
	c.Console.Status("")
	if err == nil {
		err = checkBinary(b.cluster, cluster)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// goBuild is one build of a package.
type goBuild struct {
	client *Client
	// tmp is a directory for the workspace file and results.
	tmp string
	// pkg is the package's directory; it moves into tmp when the package belongs to no module.
	pkg string
	// given is that directory as the user named it, for messages.
	given string
	// work is the go.work file to build with; "off" builds the module as it is.
	work string
}

// workspace writes the go.work that joins the package's module and the SDK.
func (b *goBuild) workspace(ctx context.Context) error {
	module := findModule(b.pkg)
	sdk, sdkErr := b.client.sdk()
	if module == "" {
		if sdkErr != nil {
			return sdkErr
		}
		return b.adopt(sdk)
	}
	own, err := moduleName(filepath.Join(module, "go.mod"))
	if err != nil {
		return err
	}
	if own == modulePath {
		// A job inside this project's own sources: they are the SDK.
		b.work = "off"
		return nil
	}
	if sdkErr != nil {
		return sdkErr
	}
	version, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	text := fmt.Sprintf("go %s\n\nuse (\n\t%s\n\t%s\n)\n", strings.TrimPrefix(strings.TrimSpace(string(version)), "go"), modfile.AutoQuote(module), modfile.AutoQuote(sdk))
	b.work = filepath.Join(b.tmp, "go.work")
	if err := os.WriteFile(b.work, []byte(text), 0o600); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}

// adopt copies a package that belongs to no module into a module of its own.
func (b *goBuild) adopt(sdk string) error {
	dir := filepath.Join(b.tmp, "src")
	if err := writeModule(dir, "job", sdk); err != nil {
		return err
	}
	if err := copyTree(b.pkg, dir, b.tmp); err != nil {
		return fmt.Errorf("build %s: %w", b.given, err)
	}
	b.pkg, b.work = dir, "off"
	return nil
}

// maxAdopted bounds what is copied of a package without a module.
const maxAdopted = 64 << 20

// copyTree copies regular files, hidden ones and the directory of the build left out: the latter may lie in from.
func copyTree(from, to, build string) error {
	own, err := os.Stat(build)
	if err != nil {
		return err
	}
	var total int64
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if rel != "." && strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		target := filepath.Join(to, rel)
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.IsDir() {
			if os.SameFile(info, own) {
				return filepath.SkipDir
			}
			return os.MkdirAll(target, 0o700)
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		if total += info.Size(); total > maxAdopted {
			return fmt.Errorf("the directory has no go.mod and is larger than %s; write one with weft init, or with go mod init", formatSize(maxAdopted))
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
}

// run builds the package for a platform.
func (b *goBuild) run(ctx context.Context, out string, platform config.Platform) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = b.pkg
	cmd.Env = append(os.Environ(), "GOWORK="+b.work, "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Arch)
	if b.work != "off" {
		// -mod=mod and -modfile, which the user may have set, do not go with a workspace.
		cmd.Env = append(cmd.Env, "GOFLAGS=")
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return usage("go build of %s failed:\n%s", b.given, strings.ReplaceAll(strings.TrimRight(output.String(), "\n"), b.pkg, b.given))
	}
	// Of any other package go build writes an archive, or nothing.
	if _, err := binaryPlatform(out); err != nil {
		return usage("%s is not a program: its package must be main", b.given)
	}
	return nil
}

// checkSources says that a directory has no Go package, before any of it is copied; given is its name for messages.
func checkSources(dir, given string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return usage("job %s: %w", given, err)
	}
	hint := ""
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") {
			return nil
		}
		if e.Name() == "cmd" && e.IsDir() {
			hint = "; -c NAME builds its cmd/NAME"
		}
	}
	return usage("there is no job in %s, since no .go file is: give a built binary or the directory of a Go package%s", given, hint)
}

// findModule gives the directory of the go.mod that a package belongs to, or "".
func findModule(dir string) string {
	for {
		if exists(filepath.Join(dir, "go.mod")) {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

func moduleName(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("build: %w", err)
	}
	name := modfile.ModulePath(data)
	if name == "" {
		return "", usage("%s names no module", file)
	}
	return name, nil
}

// sdk finds the SDK's sources: sdk/ of the distribution this binary belongs to, or this project's sources around it.
func (c *Client) sdk() (string, error) {
	base := filepath.Dir(c.Executable)
	for _, dir := range []string{c.Getenv("WEFT_SDK_DIR"), filepath.Join(base, "..", "sdk"), filepath.Join(base, "sdk"), findModule(base)} {
		if dir == "" {
			continue
		}
		if name, err := moduleName(filepath.Join(dir, "go.mod")); err == nil && name == modulePath {
			return filepath.Abs(dir)
		}
	}
	return "", usage("the SDK's sources are not at %s: use the weft command of a whole distribution, or set WEFT_SDK_DIR", filepath.Join(base, "..", "sdk"))
}

// writeModule writes go.mod and go.sum of a job module in dir, so that plain go build finds the SDK.
func writeModule(dir, module, sdk string) error {
	data, err := os.ReadFile(filepath.Join(sdk, "go.mod"))
	if err != nil {
		return fmt.Errorf("sdk: %w", err)
	}
	theirs, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return fmt.Errorf("sdk: %w", err)
	}
	f := new(modfile.File)
	errs := []error{f.AddModuleStmt(module), f.AddGoStmt(theirs.Go.Version), f.AddRequire(modulePath, sdkVersion)}
	for _, r := range theirs.Require {
		f.AddNewRequire(r.Mod.Path, r.Mod.Version, true)
	}
	errs = append(errs, f.AddReplace(modulePath, "", sdk, ""))
	f.Cleanup()
	text, err := f.Format()
	sum, sumErr := os.ReadFile(filepath.Join(sdk, "go.sum"))
	if err := errors.Join(append(errs, err, sumErr, os.MkdirAll(dir, 0o755))...); err != nil {
		return fmt.Errorf("job module: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "go.mod"), text, 0o644),
		os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o644))
}

// sdkVersion stands for the SDK in go.mod files where a replace directive says where it is.
const sdkVersion = "v0.0.0"

// Init writes a job module in dir, which must not hold one.
func (c *Client) Init(dir string) error {
	sdk, err := c.sdk()
	if err != nil {
		return err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return usage("init: %w", err)
	}
	for _, name := range []string{"go.mod", "main.go"} {
		if exists(filepath.Join(abs, name)) {
			return usage("init: %s is there already; choose a directory without a module", filepath.Join(dir, name))
		}
	}
	name := moduleNameFor(filepath.Base(abs))
	if err := writeModule(abs, name, sdk); err != nil {
		return err
	}
	main := filepath.Join(abs, "main.go")
	if err := os.WriteFile(main, []byte(strings.ReplaceAll(firstJob, "JOBNAME", name)), 0o644); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	c.Console.Print("Wrote %s, a job that counts words. Next:", main)
	c.Console.Print("  cd %s", dir)
	c.Console.Print("  go run . -input main.go                                             here, in one process")
	c.Console.Print("  weft run . -input hdfs:///some/text -output hdfs:///some/counts     in a session on YARN")
	return nil
}

// moduleNameFor makes a module name of a directory's name.
func moduleNameFor(base string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, base)
	if name = strings.Trim(name, "-._"); name == "" {
		return "job"
	}
	return name
}
