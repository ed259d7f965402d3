package taskexec

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/weft-project/weft/rpc/controlpb"
)

// tokensName is the file in the working directory that later workers get their Hadoop tokens from.
const tokensName = "hadoop-tokens"

// newest applies tokens in the order in which they came, each in a goroutine of its own, since that may take a while.
type newest struct {
	mu   sync.Mutex
	seen uint64
}

// newTokens takes Hadoop tokens that replace those that this TaskManager was started with: for itself, for its workers, and for
// those that come later.
func (m *manager) newTokens(data []byte) {
	path := filepath.Join(m.o.WorkDir, tokensName)
	if err := writeWhole(path, data); err != nil {
		// Those that run get them all the same.
		m.o.Log.Error("keep new Hadoop tokens", "error", err)
	} else {
		m.o.TokenFile = path
	}
	for _, w := range m.workers {
		w.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_HadoopTokens{HadoopTokens: data}})
	}
	m.o.Log.Info("got new Hadoop tokens", "workers", len(m.workers))
	if m.o.NewTokens == nil {
		return
	}
	m.tokens++
	number := m.tokens
	go func() {
		m.applied.mu.Lock()
		defer m.applied.mu.Unlock()
		if number < m.applied.seen {
			return
		}
		m.applied.seen = number
		if err := m.o.NewTokens(data); err != nil {
			m.o.Log.Error("new Hadoop tokens", "error", err)
		}
	}()
}

// writeWhole writes a file for its owner alone that appears complete or not at all.
func writeWhole(path string, data []byte) error {
	draft := path + ".new"
	if err := os.WriteFile(draft, data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", draft, err)
	}
	return os.Rename(draft, path)
}
