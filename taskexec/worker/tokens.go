package worker

import "sync"

// tokens are Hadoop tokens that have come after the worker's start, and who wants them.
type tokens struct {
	mu   sync.Mutex
	data []byte
	take func(data []byte)
}

func (t *tokens) came(data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = data
	if t.take != nil {
		t.take(data)
	}
}

// OnTokens has take called with the Hadoop tokens (in the format of Hadoop's token files) that come after the worker's start, also
// with those that have come already. Calls come one after the other.
func (l *Link) OnTokens(take func(data []byte)) {
	l.tokens.mu.Lock()
	defer l.tokens.mu.Unlock()
	if l.tokens.take = take; l.tokens.data != nil {
		take(l.tokens.data)
	}
}
