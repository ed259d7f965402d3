package main

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

// Windows end when the clock passes five seconds.
func TestWindows(t *testing.T) {
	h := streamtest.NewHarness(t)
	lines := streamtest.NewInput[string](h, "lines")
	out := streamtest.Collect(windowed(lines.Stream()), "out")
	h.Open()
	lines.Push("to be or", "not to be")
	h.Advance(4 * time.Second)
	lines.Push("be")
	streamtest.Ordered(t, out.Take())
	h.Advance(time.Second)
	streamtest.Unordered(t, out.Take(), WordWithCount{"to", 2}, WordWithCount{"be", 3}, WordWithCount{"or", 1}, WordWithCount{"not", 1})
	lines.Push("be")
	h.Advance(5 * time.Second)
	got := out.Take()
	streamtest.Ordered(t, got, WordWithCount{"be", 1})
	if line := fmt.Sprint(got[0]); line != "be : 1" {
		t.Errorf("printed as %q", line)
	}
}

// The whole job reads a server's lines until it closes the connection.
func TestSocket(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	counted := make(chan struct{})
	go func() {
		conn, err := server.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "to be or\nnot to be\n"); err != nil {
			t.Error(err)
		}
		<-counted
	}()
	clock := streamtest.NewClock(time.UnixMilli(0))
	env := stream.New()
	host, port := "127.0.0.1", server.Addr().(*net.TCPAddr).Port
	out := streamtest.Collect(windowed(stream.ReadSocket(env, "socket", host, port)), "out")
	totals := func() map[string]int64 {
		all := map[string]int64{}
		for _, w := range out.Values() {
			all[w.Word] += w.Count
		}
		return all
	}
	go func() { // windows end again and again until every word has been in one
		defer close(counted)
		for n := int64(0); n < 6 && t.Context().Err() == nil; runtime.Gosched() {
			clock.Advance(5 * time.Second)
			n = 0
			for _, count := range totals() {
				n += count
			}
		}
	}()
	streamtest.Run(t, env, streamtest.OnClock(clock))
	if got := totals(); got["to"] != 2 || got["be"] != 2 || got["or"] != 1 || got["not"] != 1 {
		t.Errorf("counted %v", got)
	}
}
