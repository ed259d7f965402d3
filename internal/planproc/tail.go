package planproc

import (
	"strings"
	"sync"
)

// Tail keeps the end of what was written, for messages. It is safe for use by several goroutines.
type Tail struct {
	mu   sync.Mutex
	data []byte
}

// TailBytes is how much is kept.
const TailBytes = 8 << 10

// Write is io.Writer's; it never fails.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, b...)
	if over := len(t.data) - TailBytes; over > 0 {
		t.data = append([]byte(nil), t.data[over:]...)
	}
	return len(b), nil
}

// Said gives what was kept as the end of a sentence about a main.
func (t *Tail) Said() string {
	if text := t.String(); text != "" {
		return "; its output:\n" + text
	}
	return "; it wrote nothing"
}

// String gives what was kept, from the beginning of a line.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := string(t.data)
	if len(s) >= TailBytes {
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			s = "…" + s[i:]
		}
	}
	return strings.TrimRight(s, "\n")
}
