package streamtest

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// failer is a test that is expected to fail; it keeps what it says.
type failer struct {
	testing.TB
	mu   sync.Mutex
	said []string
}

func (f *failer) say(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = append(f.said, text)
}

// Error is TB's.
func (f *failer) Error(args ...any) { f.say(fmt.Sprint(args...)) }

// Errorf is TB's.
func (f *failer) Errorf(format string, args ...any) { f.say(fmt.Sprintf(format, args...)) }

// Fatal is TB's.
func (f *failer) Fatal(args ...any) {
	f.say(fmt.Sprint(args...))
	runtime.Goexit()
}

// Fatalf is TB's.
func (f *failer) Fatalf(format string, args ...any) { f.Fatal(fmt.Sprintf(format, args...)) }

// Failing runs a test and gives what it has failed with; "" when it has not.
func Failing(t testing.TB, test func(t testing.TB)) string {
	f := &failer{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(f)
	}()
	<-done
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.said, "\n")
}
