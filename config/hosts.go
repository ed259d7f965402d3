package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Names of the files in a configuration directory that say where a standalone cluster runs.
const (
	MastersFile = "masters"
	WorkersFile = "workers"
	// SlavesFile is the old name of WorkersFile.
	SlavesFile = "slaves"
	// SecretFile holds the secret of a standalone cluster.
	SecretFile = "secret"
)

// Masters reads conf/masters: host or host:port of a JobManager and its REST server on each line. A directory without the file
// has none.
func Masters(dir string) ([]string, error) {
	hosts, _, err := hostLines(dir, MastersFile)
	return hosts, err
}

// Workers reads conf/workers, else conf/slaves: a host on each line, once for each TaskManager on it. A directory without
// such a file has one TaskManager on localhost.
func Workers(dir string) ([]string, error) {
	for _, name := range []string{WorkersFile, SlavesFile} {
		if hosts, found, err := hostLines(dir, name); found || err != nil {
			return hosts, err
		}
	}
	return []string{"localhost"}, nil
}

func hostLines(dir, name string) (hosts []string, found bool, err error) {
	if dir == "" {
		return nil, false, nil
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	data, err := readBounded(path)
	if err != nil {
		return nil, true, fmt.Errorf("configuration: %w", err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		text, _, _ := strings.Cut(line, "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		// What looks like an option would be one for ssh.
		if strings.ContainsAny(text, " \t/'\"\\$`;&|<>") || strings.HasPrefix(text, "-") {
			return nil, true, fmt.Errorf("configuration %s, line %d: %q is no host name", path, i+1, text)
		}
		hosts = append(hosts, text)
	}
	return hosts, true, nil
}
