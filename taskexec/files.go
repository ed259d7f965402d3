package taskexec

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weft-project/weft/internal/logdir"
	"github.com/weft-project/weft/rpc/controlpb"
)

// maxPiece bounds a piece of a log file in one message, in bytes.
const maxPiece = 1 << 20

// logDirs are the directories whose files may be shown: the workers', and this process's own where that is another one, which it
// shares with others.
func (o *Options) logDirs() []logdir.Dir {
	dirs := []logdir.Dir{{Path: o.LogDir}}
	if own := o.ownLogDir(); own != filepath.Clean(o.LogDir) {
		dirs = append(dirs, logdir.Dir{Path: own, Prefix: o.LogName + "."})
	}
	return dirs
}

func (o *Options) ownLogDir() string {
	if o.OwnLogDir == "" {
		return filepath.Clean(o.LogDir)
	}
	return filepath.Clean(o.OwnLogDir)
}

// showFile answers a question about files. Disks may be slow: it does not hold up the loop.
func (m *manager) showFile(r *controlpb.FileRequest) {
	s := m.session
	reply := func() (*controlpb.FileReply, error) { return m.o.fileReply(r) }
	if r.GetKind() == controlpb.FileKind_GOROUTINES {
		workers := m.askStacks()
		reply = func() (*controlpb.FileReply, error) { return &controlpb.FileReply{Data: allStacks(workers)}, nil }
	}
	go func() {
		reply, err := reply()
		if err != nil {
			reply = &controlpb.FileReply{Error: err.Error(), Missing: errors.Is(err, logdir.ErrMissing)}
		}
		reply.Id = r.GetId()
		m.post(func() {
			if m.session == s { // else it was asked by a leader that is gone
				m.send(&controlpb.FromTaskManager{Kind: &controlpb.FromTaskManager_File{File: reply}})
			}
		})
	}()
}

// fileReply finds the answer.
func (o *Options) fileReply(r *controlpb.FileRequest) (*controlpb.FileReply, error) {
	switch r.GetKind() {
	case controlpb.FileKind_FILES:
		return o.listFiles()
	case controlpb.FileKind_NAMED_FILE:
		return o.readFile(r.GetName(), r)
	case controlpb.FileKind_OWN_LOG:
		return o.readFile(o.LogName+".log", r)
	case controlpb.FileKind_OWN_OUTPUT:
		return o.readFile(o.LogName+".out", r)
	}
	return nil, fmt.Errorf("TaskManager %s of release %s does not know files of kind %d", o.ID, o.Version, r.GetKind())
}

func (o *Options) listFiles() (*controlpb.FileReply, error) {
	reply := &controlpb.FileReply{}
	for _, d := range o.logDirs() {
		files, err := d.List()
		if err != nil {
			return nil, fmt.Errorf("log directory of TaskManager %s: %w", o.ID, err)
		}
		for _, f := range files {
			reply.Files = append(reply.Files, loggedFile(f))
		}
	}
	slices.SortFunc(reply.Files, func(a, b *controlpb.LoggedFile) int { return strings.Compare(a.GetName(), b.GetName()) })
	return reply, nil
}

// readFile reads a piece of a file of one of the directories.
func (o *Options) readFile(name string, r *controlpb.FileRequest) (*controlpb.FileReply, error) {
	var err error
	for _, d := range o.logDirs() {
		var piece []byte
		var file logdir.File
		piece, file, err = d.Read(name, r.GetOffset(), min(int(r.GetLimit()), maxPiece))
		if err == nil {
			return &controlpb.FileReply{Files: []*controlpb.LoggedFile{loggedFile(file)}, Data: piece}, nil
		}
		if !errors.Is(err, logdir.ErrMissing) {
			break
		}
	}
	return nil, fmt.Errorf("TaskManager %s: %w", o.ID, err)
}

func loggedFile(f logdir.File) *controlpb.LoggedFile {
	return &controlpb.LoggedFile{Name: f.Name, Size: f.Size, ModifiedMs: f.Modified.UnixMilli()}
}
