package standalone

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// entry is a process that was started: "PID INSTANCE START", START being when the operating system says it began, so that a
// process that got the number later is left alone.
type entry struct {
	pid, instance int
	start         string
}

// pidFile notes the processes of one kind that this user has started for one configuration directory.
type pidFile struct {
	file *os.File
}

// openPIDFile opens and locks the file; it is made when it is not there. A file that another user could have written is refused:
// what it names is ended.
func openPIDFile(dir, confDir string, k kind) (*pidFile, error) {
	sum := sha256.Sum256([]byte(confDir))
	path := filepath.Join(dir, fmt.Sprintf("weft-%s-%s-%s.pid", osUser(), k.log, hex.EncodeToString(sum[:4])))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("file of started processes: %w", err)
	}
	st, err := f.Stat()
	if err == nil {
		if sys, ok := st.Sys().(*syscall.Stat_t); !st.Mode().IsRegular() || ok && int(sys.Uid) != os.Getuid() || st.Mode().Perm()&0o022 != 0 {
			err = fmt.Errorf("%s is not a file of this user alone: remove it", path)
		}
	}
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("file of started processes: %w", err), f.Close())
	}
	return &pidFile{f}, nil
}

// read gives the entries, oldest first.
func (p *pidFile) read() ([]entry, error) {
	data, err := io.ReadAll(io.NewSectionReader(p.file, 0, 1<<20))
	if err != nil {
		return nil, err
	}
	var out []entry
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(f) != 3 {
			continue
		}
		pid, pidErr := strconv.Atoi(f[0])
		n, instanceErr := strconv.Atoi(f[1])
		if pidErr == nil && instanceErr == nil && pid > 1 {
			out = append(out, entry{pid, n, f[2]})
		}
	}
	return out, nil
}

// write replaces the entries. Without any the file is removed.
func (p *pidFile) write(entries []entry) error {
	var b bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&b, "%d %d %s\n", e.pid, e.instance, e.start)
	}
	if b.Len() == 0 {
		return os.Remove(p.file.Name())
	}
	if err := p.file.Truncate(0); err != nil {
		return err
	}
	_, err := p.file.WriteAt(b.Bytes(), 0)
	return err
}

func (p *pidFile) close() error { return p.file.Close() }

// alive tells whether the process that was started still runs.
func (e entry) alive() bool {
	start := startOf(e.pid)
	return start != "" && start == e.start
}

// startOf says when a process began, in whatever words; empty when there is none.
func startOf(pid int) string {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		// The name, in parentheses, may hold anything.
		f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(f) < 20 || f[0] == "Z" || f[0] == "X" {
			return ""
		}
		return f[19]
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		return ""
	}
	out, err := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// lastLines gives the end of a file, for messages.
func lastLines(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var lines []string
	in := bufio.NewScanner(io.LimitReader(f, 1<<20))
	for in.Scan() {
		if lines = append(lines, in.Text()); len(lines) > n {
			lines = lines[1:]
		}
	}
	return strings.Join(lines, "\n")
}
