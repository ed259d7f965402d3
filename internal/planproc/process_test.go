package planproc

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell starts a program of the shell in the place of a main.
func shell(t *testing.T, program string, owned bool) (*Process, *Tail) {
	t.Helper()
	said := &Tail{}
	p, err := Start(Options{Path: "/bin/sh", Args: []string{"-c", program}, Env: []string{"WEFT_ROLE=worker", "A=b"}, Config: map[string]string{"k": "v"},
		Stdout: said, Stderr: said, Owned: owned, Said: func() string { return "; it said " + said.String() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.End)
	return p, said
}

// Main gets its role and the configuration; one that ends without Execute is its author's error, with what it wrote.
func TestMainWithoutExecute(t *testing.T) {
	for _, owned := range []bool{false, true} {
		p, _ := shell(t, `echo "$A $WEFT_ROLE $WEFT_ROLE_FD $WEFT_ROLE_CONFIG"; exit 3`, owned)
		if g, err := p.Next(t.Context(), time.Minute); g != nil || err != nil {
			t.Errorf("%v, %v", g, err)
		}
		if err := p.Wait(t.Context()); err == nil {
			t.Error("exit code 3 is no error")
		}
		err := p.WithoutExecute()
		if want := `it said b plan 3 {"k":"v"}`; !errors.As(err, new(*Error)) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "exit status 3") {
			t.Errorf("%v, expected %s", err, want)
		}
	}
}

// A main that hangs is given up, and ends with End.
func TestMainHangs(t *testing.T) {
	p, _ := shell(t, "exec sleep 600", true)
	if _, err := p.Next(t.Context(), time.Millisecond); !errors.As(err, new(*Error)) || !strings.Contains(err.Error(), "client.plan.timeout") {
		t.Errorf("%v", err)
	}
	p.End()
	if err := p.Wait(t.Context()); err == nil {
		t.Error("it was killed, which is no good end")
	}
}

// What is no program is the author's error too.
func TestNoProgram(t *testing.T) {
	if _, err := Start(Options{Path: "/nowhere/job"}); !errors.As(err, new(*Error)) {
		t.Errorf("%v", err)
	}
}

// A main that a child of its own outlives has ended, though the child holds its socket and its output open.
func TestMainLeavesAChild(t *testing.T) {
	p, said := shell(t, "sleep 600 & echo $!", true)
	g, err := p.Next(t.Context(), 0)
	if g != nil || err != nil {
		t.Errorf("%v, %v", g, err)
	}
	if err := p.Wait(t.Context()); err != nil {
		t.Errorf("main ended well: %v", err)
	}
	pid, err := strconv.Atoi(said.String())
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Error(err)
	}
}
