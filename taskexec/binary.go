package taskexec

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/weft-project/weft/rpc/controlpb"
)

// turns let one goroutine at a time fetch a content: two jobs of one binary share it. A slow one holds up nobody else.
type turns struct {
	mu     sync.Mutex
	byHash map[string]chan struct{}
}

// take waits for the turn to fetch a content; done ends it.
func (t *turns) take(ctx context.Context, hash string) (done func(), err error) {
	t.mu.Lock()
	if t.byHash == nil {
		t.byHash = map[string]chan struct{}{}
	}
	turn := t.byHash[hash]
	if turn == nil {
		turn = make(chan struct{}, 1)
		t.byHash[hash] = turn
	}
	t.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// fetch brings a content-addressed file to this machine, verifies it and gives its path. Files are kept for the TaskManager's
// life.
func (m *manager) fetch(ctx context.Context, ref *controlpb.BlobRef, program bool) (string, error) {
	want, err := hex.DecodeString(ref.GetSha256())
	if err != nil || len(want) != sha256.Size {
		return "", fmt.Errorf("%w: file %q has the hash %q: expected 64 hexadecimal digits", errUser, ref.GetName(), ref.GetSha256())
	}
	done, err := m.fetching.take(ctx, ref.GetSha256())
	if err != nil {
		return "", err
	}
	defer done()
	// The file keeps its name: that is what ps and top show.
	dir := filepath.Join(m.o.WorkDir, "bin", ref.GetSha256())
	name := filepath.Base(ref.GetName())
	if strings.Trim(name, "./") == "" {
		name = "job"
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		if program { // another job may have shipped the same content as a file
			err = os.Chmod(path, 0o500)
		}
		return path, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	mode := os.FileMode(0o400)
	if program {
		mode = 0o500
	}
	if err := m.download(ctx, ref, path+".part", want, mode); err != nil {
		return "", errors.Join(fmt.Errorf("fetch %s from %s: %w", ref.GetName(), ref.GetUri(), err), removeIfThere(path+".part"))
	}
	return path, os.Rename(path+".part", path)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// download copies one file and checks its hash.
func (m *manager) download(ctx context.Context, ref *controlpb.BlobRef, to string, want []byte, mode os.FileMode) error {
	in, err := m.open(ctx, ref)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o700)
	if err != nil {
		return err
	}
	hash := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(out, hash), in, make([]byte, 1<<20))
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if got := hash.Sum(nil); string(got) != string(want) {
		return fmt.Errorf("the %d bytes read have the SHA-256 %x, expected %x", n, got, want)
	}
	return os.Chmod(to, mode)
}
