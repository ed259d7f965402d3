package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
)

// serve gives the address of a server that plays f on the first connection and then closes it.
func serve(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if conn, err := l.Accept(); err == nil {
			f(conn)
			_ = conn.Close() // the test looks at what the source got
		}
	}()
	t.Cleanup(func() {
		_ = l.Close() // ends an Accept that nobody came to
		<-ended
	})
	return l.Addr().String()
}

// run polls a source until it ends as a task does; polls counts the batches.
func run(ctx context.Context, address string) (lines []string, polls int, err error) {
	c := &operator.Context{Ctx: ctx, Ops: []string{"socket"}, Op: -1}
	inst, err := Source(address)(c, 0, operator.Emit[string](func(s *string) { lines = append(lines, *s) }))
	if err != nil {
		return nil, 0, err
	}
	src := inst.Operator.(operator.Source)
	if err := src.Open(); err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, src.Close(err)) }()
	for {
		status, err := src.Poll()
		switch {
		case err != nil || status == operator.End:
			return lines, polls, err
		case status == operator.More:
			polls++
		default:
			select {
			case <-src.Wake():
			case <-ctx.Done():
				return lines, polls, ctx.Err()
			}
		}
	}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestLines(t *testing.T) {
	long := strings.Repeat("long", 100_000)
	tests := []struct {
		sent string
		want []string
	}{
		{"", nil},
		{"a\nb\n", []string{"a", "b"}},
		{"a\r\n\r\n\nb", []string{"a", "", "", "b"}},
		{"\n", []string{""}},
		{"x\ry\n", []string{"x\ry"}},
		{long + "\n" + long, []string{long, long}},
		{"end\r", []string{"end\r"}},
	}
	for _, tt := range tests {
		got, _, err := run(testContext(t), serve(t, func(c net.Conn) { _, _ = io.WriteString(c, tt.sent) }))
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%.20q gave %d lines %.60q (%v), expected %.60q", tt.sent, len(got), got, err, tt.want)
		}
	}
}

// Lines that are there already come in batches, not one by one.
func TestLinesComeInBatches(t *testing.T) {
	const n = 50_000
	var text strings.Builder
	for i := range n {
		fmt.Fprintln(&text, "line", i)
	}
	got, polls, err := run(testContext(t), serve(t, func(c net.Conn) { _, _ = io.WriteString(c, text.String()) }))
	if err != nil || len(got) != n || got[n-1] != fmt.Sprint("line ", n-1) {
		t.Fatalf("%d lines: %v", len(got), err)
	}
	if polls > n/20 {
		t.Errorf("%d lines came in %d batches", n, polls)
	}
}

// A whole line is handed on while the server makes up its mind about the next one.
func TestLineIsNotHeldBack(t *testing.T) {
	seen := make(chan struct{})
	late := errors.New("the line was held back")
	var result error
	address := serve(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "whole\nhalf")
		select {
		case <-seen:
		case <-time.After(2 * time.Minute):
			result = late
		}
		_, _ = io.WriteString(c, " and half\n")
	})
	ctx := testContext(t)
	c := &operator.Context{Ctx: ctx, Ops: []string{"socket"}, Op: -1}
	var lines []string
	inst, err := Source(address)(c, 0, operator.Emit[string](func(s *string) {
		if lines = append(lines, *s); len(lines) == 1 {
			close(seen)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	src := inst.Operator.(operator.Source)
	if err := src.Open(); err != nil {
		t.Fatal(err)
	}
	for status := operator.More; status != operator.End; {
		if status, err = src.Poll(); err != nil {
			t.Fatal(err)
		}
		if status == operator.Idle {
			<-src.Wake()
		}
	}
	if err := src.Close(nil); err != nil || result != nil || fmt.Sprint(lines) != "[whole half and half]" {
		t.Errorf("lines %q: %v, %v", lines, err, result)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err = run(testContext(t), address)
	if err == nil || !strings.Contains(err.Error(), address) || operator.DomainOf(err) != planpb.FailureDomain_EXTERNAL {
		t.Errorf("error %v of domain %s, expected one of the world outside that names %s", err, operator.DomainOf(err), address)
	}
}

// A canceled task leaves the source at once although the server says nothing.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	gone := make(chan struct{})
	address := serve(t, func(c net.Conn) {
		cancel()
		_, _ = c.Read(make([]byte, 1)) // returns when the source closes its end
		close(gone)
	})
	if _, _, err := run(ctx, address); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	<-gone
}
