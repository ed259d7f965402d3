package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/weft-project/weft/config"
)

// logFile is a process's log: rotated by rename when it is large, so that who follows it keeps the old file, and YARN collects
// all of them.
type logFile struct {
	path string

	mu    sync.Mutex
	file  *os.File
	size  int64
	limit int64
	keep  int
}

// openLog opens or goes on with dir/name.
func openLog(dir, name string) (*logFile, error) {
	l := &logFile{path: filepath.Join(dir, name), limit: 64 << 20, keep: 10}
	return l, l.open()
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	l.file, l.size = f, st.Size()
	return nil
}

// Write writes one record.
func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+int64(len(b)) > l.limit && l.size > 0 {
		if err := l.rotate(); err != nil {
			// Better one file that grows than no log.
			fmt.Fprintln(os.Stderr, err)
		}
	}
	n, err := l.file.Write(b)
	l.size += int64(n)
	return n, err
}

// rotate renames log to log.1, log.1 to log.2 and so on, and forgets the oldest.
func (l *logFile) rotate() error {
	name := func(i int) string { return l.path + "." + strconv.Itoa(i) }
	if l.keep < 1 {
		return nil
	}
	for i := l.keep - 1; i >= 1; i-- {
		if _, err := os.Stat(name(i)); err == nil {
			if err := os.Rename(name(i), name(i+1)); err != nil {
				return fmt.Errorf("log: %w", err)
			}
		}
	}
	if err := os.Rename(l.path, name(1)); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	old := l.file
	if err := l.open(); err != nil {
		l.file = old
		return err
	}
	return old.Close()
}

// configure applies what the configuration says about logs.
func (l *logFile) configure(c *config.Config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit, l.keep = config.Get(c, config.LogFileSize).Bytes(), config.Get(c, config.LogMaxFiles)
}

// processLog is the log of a process: to a file of its log directory, or, without one, to standard error.
func processLog(dir, name string, stderr io.Writer) (log *slog.Logger, configured func(*config.Config), err error) {
	level := &slog.LevelVar{}
	var w io.Writer = stderr
	var file *logFile
	if dir != "" {
		if file, err = openLog(dir, name); err != nil {
			return nil, nil, err
		}
		w = file
	}
	log = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
	return log, func(c *config.Config) {
		level.Set(logLevel(config.Get(c, config.LogLevel)))
		if file != nil {
			file.configure(c)
		}
	}, nil
}

func logLevel(name string) slog.Level {
	switch strings.ToUpper(name) {
	case "TRACE", "DEBUG":
		return slog.LevelDebug
	case "WARN":
		return slog.LevelWarn
	case "ERROR":
		return slog.LevelError
	}
	return slog.LevelInfo
}
