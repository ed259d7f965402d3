package zookeepertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// version is that which Hadoop 3.4.2 brings.
const version = "3.8.4"

// pom is the Maven project whose dependencies are the class path: the server, and two libraries that it does not name.
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>weft</groupId><artifactId>zookeepertest</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.zookeeper</groupId><artifactId>zookeeper</artifactId><version>` + version + `</version></dependency>
    <dependency><groupId>org.xerial.snappy</groupId><artifactId>snappy-java</artifactId><version>1.1.10.7</version></dependency>
    <dependency><groupId>io.dropwizard.metrics</groupId><artifactId>metrics-core</artifactId><version>4.1.12.1</version></dependency>
  </dependencies>
</project>
`

// cacheDir is the folder that internal/devcluster keeps its jars in.
func cacheDir() (string, error) {
	if dir := os.Getenv("WEFT_DEVCLUSTER_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder: set WEFT_DEVCLUSTER_CACHE or HOME (%w)", err)
	}
	return filepath.Join(dir, "weft", "devcluster"), nil
}

// ensureJars gives the folder of the jars, fetching them when they are nowhere.
func ensureJars(ctx context.Context) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	own := filepath.Join(cache, "zookeeper-"+version)
	if lib, ok := find(cache, own); ok {
		return lib, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(own+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if lib, ok := find(cache, own); ok { // another process was quicker
		return lib, nil
	}
	return fetch(ctx, own)
}

// find looks for complete folders, Hadoop's and our own.
func find(cache, own string) (string, bool) {
	folders, err := filepath.Glob(filepath.Join(cache, "hadoop-*"))
	if err != nil {
		return "", false
	}
	for _, dir := range append(folders, own) {
		if _, err := os.Stat(filepath.Join(dir, "COMPLETE")); err != nil {
			continue
		}
		if jars, err := filepath.Glob(filepath.Join(dir, "lib", "zookeeper-[0-9]*.jar")); err == nil && len(jars) > 0 {
			return filepath.Join(dir, "lib"), true
		}
	}
	return "", false
}

func fetch(ctx context.Context, dir string) (string, error) {
	lib := filepath.Join(dir, "lib")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(lib, 0o755)); err != nil {
		return "", err
	}
	project := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(project, []byte(pom), 0o644); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "mvn", "-B", "-ntp", "-f", project, "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
		"-DoutputDirectory="+lib, "-DincludeScope=runtime").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("fetching ZooKeeper's jars by mvn: %w: %s", err, lastLines(string(out), 5))
	}
	return lib, os.WriteFile(filepath.Join(dir, "COMPLETE"), nil, 0o644)
}

// findJava gives the java program: that of JAVA_HOME, of PATH, or one where systems put it.
func findJava() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java"), nil
	}
	if p, err := exec.LookPath("java"); err == nil {
		return p, nil
	}
	if found, err := filepath.Glob("/usr/lib/jvm/*/bin/java"); err == nil && len(found) > 0 {
		return found[0], nil
	}
	return "", errors.New("no java found (JAVA_HOME, PATH, /usr/lib/jvm); install one, for example: apt-get install openjdk-17-jre-headless")
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
