package stacks

import (
	"bytes"
	"strings"
	"testing"
)

func TestStacks(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	const others = 2000 // more text than fits into the first try
	for range others {
		go func() { <-stop }()
	}
	text := All()
	if !bytes.HasPrefix(text, []byte("goroutine ")) || !strings.Contains(string(text), "TestStacks") || len(text) <= first || len(text) > Max {
		t.Errorf("%d bytes: %.100s", len(text), text)
	}
	owned := Of("worker 1", text)
	if got, want := strings.Count(string(owned), "worker 1: goroutine "), strings.Count("\n\n"+string(text), "\n\ngoroutine "); got != want || want < 1000 {
		t.Errorf("%d of %d goroutines have an owner", got, want)
	}
	if len(Of("worker 1", nil)) != 0 {
		t.Error("no goroutines have no owner")
	}
}
