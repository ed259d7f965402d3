package devcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
)

// Hadoop 3.4 needs Java 8 or later; below 11 the --add-opens option is unknown, and from 23 on Subject.doAs, which every
// Hadoop daemon uses, is gone.
const (
	minJava  = 11
	maxJava  = 22
	bestJava = 17
)

// javaPackages are the Debian packages tried in turn; releases carry one or the other.
var javaPackages = []string{"openjdk-17-jre-headless", "openjdk-21-jre-headless", "default-jre-headless"}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// findJava returns the java program to use and whether there is one: JAVA_HOME, then PATH, then the usual places,
// the first that is Java 17, else the first of a version that Hadoop runs on.
func findJava(ctx context.Context) (string, bool) {
	var candidates []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		candidates = append(candidates, filepath.Join(home, "bin", "java"))
	}
	if p, err := exec.LookPath("java"); err == nil {
		candidates = append(candidates, p)
	}
	found, _ := filepath.Glob("/usr/lib/jvm/*/bin/java")
	sort.Strings(found)
	candidates = append(candidates, found...)
	second := ""
	for _, c := range candidates {
		out, err := exec.CommandContext(ctx, c, "-version").CombinedOutput()
		if err != nil {
			continue
		}
		m := javaVersion.FindSubmatch(out)
		if m == nil {
			continue
		}
		v, _ := strconv.Atoi(string(m[1]))
		if v == bestJava {
			return c, true
		}
		if v >= minJava && v <= maxJava && second == "" {
			second = c
		}
	}
	return second, second != ""
}

// ensureJava finds Java or installs it by the system's package manager, where that is allowed.
func ensureJava(ctx context.Context, log io.Writer) (string, error) {
	if java, ok := findJava(ctx); ok {
		return java, nil
	}
	var last error
	for _, pkg := range javaPackages {
		if last = aptInstall(ctx, log, pkg); last == nil {
			if java, ok := findJava(ctx); ok {
				return java, nil
			}
		}
		if errors.Is(last, errNotAllowed) {
			break
		}
	}
	return "", fmt.Errorf("no Java %d to %d found (JAVA_HOME, PATH, /usr/lib/jvm); install one, for example: "+
		"apt-get install %s (%w)", minJava, maxJava, javaPackages[0], last)
}

// ensureMaven finds Maven or installs it by the system's package manager, where that is allowed.
func ensureMaven(ctx context.Context, log io.Writer) (string, error) {
	if mvn, err := exec.LookPath("mvn"); err == nil {
		return mvn, nil
	}
	err := aptInstall(ctx, log, "maven")
	if err == nil {
		var mvn string
		if mvn, err = exec.LookPath("mvn"); err == nil {
			return mvn, nil
		}
	}
	return "", fmt.Errorf("maven (mvn) is not on the PATH and is needed to fetch Hadoop's jars; install it, for example: "+
		"apt-get install maven (%w)", err)
}

var errNotAllowed = errors.New("not installed automatically: needs root and apt-get")

// aptInstall installs one Debian package, one process of ours at a time: dpkg has a lock that others wait for, the lists of packages have
// one that they fail at.
func aptInstall(ctx context.Context, log io.Writer, pkg string) error {
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return errNotAllowed
	}
	cache, err := CacheDir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, filepath.Join(cache, "apt.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	fmt.Fprintf(log, "installing %s by apt-get\n", pkg)
	install := func() ([]byte, error) {
		cmd := exec.CommandContext(ctx, apt, "-y", "-q", "-o", "DPkg::Lock::Timeout=600", "install", "--no-install-recommends", pkg)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		return cmd.CombinedOutput()
	}
	if _, err := install(); err == nil {
		return nil
	}
	// Package lists may be missing (fresh container) or old.
	if up, uerr := exec.CommandContext(ctx, apt, "-q", "-o", "DPkg::Lock::Timeout=600", "update").CombinedOutput(); uerr != nil {
		return fmt.Errorf("apt-get update: %w: %s", uerr, lastLines(up, 3))
	}
	if out, err := install(); err != nil {
		return fmt.Errorf("apt-get install %s: %w: %s", pkg, err, lastLines(out, 3))
	}
	return nil
}

// lastLines returns the last n non-empty lines of a program's output.
func lastLines(out []byte, n int) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return string(bytes.Join(lines, []byte("\n")))
}
