package devcluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// hadoopArtifacts are what the daemons and the few client programs (FsShell, yarn logs) need; the rest
// comes as their dependencies. timelineservice is needed: the ResourceManager loads a class of it with the service off.
var hadoopArtifacts = []string{
	"hadoop-common", "hadoop-hdfs", "hadoop-hdfs-client", "hadoop-yarn-client",
	"hadoop-yarn-server-resourcemanager", "hadoop-yarn-server-nodemanager", "hadoop-yarn-server-timelineservice",
}

// copyDependencies pins the plug-in, so that what is fetched does not depend on Maven's version.
const copyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

// completeMarker names the file that is written last into a jar folder.
const completeMarker = "COMPLETE"

// CacheDir returns the folder that holds fetched jars: $WEFT_DEVCLUSTER_CACHE, else weft/devcluster in the user's cache
// folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("WEFT_DEVCLUSTER_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "weft", "devcluster"), nil
	}
	// HOME is not set: the account's own home.
	u, err := user.Current()
	if err != nil || u.HomeDir == "" {
		return "", fmt.Errorf("no cache folder: set WEFT_DEVCLUSTER_CACHE or HOME")
	}
	return filepath.Join(u.HomeDir, ".cache", "weft", "devcluster"), nil
}

// jarPom is the Maven project whose dependencies are the class path.
func jarPom(version string) string {
	var artifacts []string
	for _, a := range hadoopArtifacts {
		artifacts = append(artifacts, "org.apache.hadoop:"+a+":"+version)
	}
	return pomOf(append(artifacts, "org.slf4j:slf4j-reload4j:1.7.36"))
}

// pomOf is a Maven project with dependencies, group:artifact:version each.
func pomOf(artifacts []string) string {
	var b strings.Builder
	b.WriteString("<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <modelVersion>4.0.0</modelVersion>\n" +
		"  <groupId>weft</groupId><artifactId>devcluster</artifactId><version>1</version>\n  <dependencies>\n")
	for _, a := range artifacts {
		group, rest, _ := strings.Cut(a, ":")
		artifact, version, _ := strings.Cut(rest, ":")
		fmt.Fprintf(&b, "    <dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n",
			group, artifact, version)
	}
	b.WriteString("  </dependencies>\n</project>\n")
	return b.String()
}

// Programs gives Java and the folder of Hadoop's jars, fetched when they are nowhere. ZooKeeper's server is among them.
func Programs(ctx context.Context, log io.Writer) (java, lib string, err error) {
	if java, err = ensureJava(ctx, log); err != nil {
		return "", "", err
	}
	lib, err = ensureJars(ctx, DefaultVersion, log)
	return java, lib, err
}

// ProgramsOf gives Java and the folder of the jars of another service, of the artifacts (group:artifact:version) and what they depend on.
func ProgramsOf(ctx context.Context, log io.Writer, name, version string, artifacts ...string) (java, lib string, err error) {
	if java, err = ensureJava(ctx, log); err != nil {
		return "", "", err
	}
	lib, err = ensureArtifacts(ctx, name, version, pomOf(artifacts), log)
	return java, lib, err
}

// ensureJars returns the folder of the jars of a Hadoop release.
func ensureJars(ctx context.Context, version string, log io.Writer) (string, error) {
	return ensureArtifacts(ctx, "Hadoop", version, jarPom(version), log)
}

// ensureArtifacts returns the folder of the jars that a Maven project depends on, fetched when it is not in the cache. Processes that
// call it at once wait for the first one.
func ensureArtifacts(ctx context.Context, name, version, pom string, log io.Writer) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(pom))
	dir := filepath.Join(cache, strings.ToLower(name)+"-"+version+"-"+hex.EncodeToString(sum[:4]))
	lib := filepath.Join(dir, "lib")
	if complete(dir) {
		return lib, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if complete(dir) { // another process was quicker
		return lib, nil
	}
	mvn, err := ensureMaven(ctx, log)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(log, "fetching the jars of %s %s (50 to 100 MiB) into %s\n", name, version, dir)
	// Jars of an attempt that was killed half-way may be truncated.
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(lib, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(pom), 0o644); err != nil {
		return "", err
	}
	args := []string{"-B", "-ntp", "-f", filepath.Join(dir, "pom.xml"), copyDependencies,
		"-DoutputDirectory=" + lib, "-DincludeScope=runtime"}
	if !accountHasHome() {
		args = append(args, "-Dmaven.repo.local="+filepath.Join(cache, "maven"))
	}
	cmd := exec.CommandContext(ctx, mvn, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("fetching the jars of %s %s by %s: %w: %s", name, version, mvn, err, mavenErrors(out))
	}
	jars, err := filepath.Glob(filepath.Join(lib, "*.jar"))
	if err != nil || len(jars) == 0 {
		return "", fmt.Errorf("maven left no jar in %s", lib)
	}
	return lib, os.WriteFile(filepath.Join(dir, completeMarker), fmt.Appendf(nil, "%d jars\n", len(jars)), 0o644)
}

// accountHasHome reports whether Maven can keep its repository where it does by itself: in the home of the account, which
// Java takes from the password file, whatever HOME says.
func accountHasHome() bool {
	u, err := user.Current()
	if err != nil {
		return false
	}
	return syscall.Access(u.HomeDir, 2) == nil // W_OK
}

func complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, completeMarker))
	return err == nil
}

// mavenErrors picks the first lines in which Maven says what is wrong; the last ones are always the same advice.
func mavenErrors(out []byte) string {
	var errs []string
	for line := range strings.SplitSeq(string(out), "\n") {
		if strings.HasPrefix(line, "[ERROR]") && len(errs) < 3 {
			errs = append(errs, strings.TrimSpace(strings.TrimPrefix(line, "[ERROR]")))
		}
	}
	if len(errs) == 0 {
		return lastLines(out, 5)
	}
	return strings.Join(errs, "; ")
}

// lockFile takes an exclusive lock that the kernel frees when the process ends.
func lockFile(ctx context.Context, name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = waitFor(ctx, 200*time.Millisecond, func() (bool, error) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == syscall.EWOULDBLOCK {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { f.Close() }, nil
}

// waitFor asks until the answer is yes, the question fails or the context ends.
func waitFor(ctx context.Context, every time.Duration, ask func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if ok, err := ask(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
