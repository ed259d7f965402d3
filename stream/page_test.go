package stream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/weft-project/weft/stream"
)

// A local run with rest.port shows itself while it runs.
func TestLocalPage(t *testing.T) {
	port := pagePort(t)
	env := stream.New()
	env.SetMode(stream.Batch)
	env.SetParallelism(1)
	env.Set("security.rest.auth", "none")
	env.Set("rest.port", strconv.Itoa(port))
	var seen, seenErr string
	stream.ForEach(stream.FromSlice(env, "numbers", []int{1}), "look", func(int) {
		var err error
		if seen, err = states(t.Context(), port); err != nil {
			seenErr = err.Error()
		}
	})
	result, err := env.Execute(t.Context(), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	if want := result.JobID + " RUNNING"; !strings.Contains(seen, want) {
		t.Errorf("while it ran: %q, %s; expected %q", seen, seenErr, want)
	}
	if after, err := states(t.Context(), port); !strings.Contains(after, result.JobID+" FINISHED") {
		t.Errorf("afterwards: %q, %v", after, err)
	}
}

// freePort is one that nobody listened on when it was asked for first. A process has one page, which is where its first job wants it.
var freePort = sync.OnceValues(func() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
})

// pagePort is that of this process's page.
func pagePort(t *testing.T) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// states asks the page for the job and its state.
func states(ctx context.Context, port int) (text string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://localhost:%d/jobs/overview", port), nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var document struct{ Jobs []struct{ JID, State string } }
	if err := json.NewDecoder(answer.Body).Decode(&document); err != nil {
		return "", err
	}
	for _, j := range document.Jobs {
		text += j.JID + " " + j.State + "\n"
	}
	return text, nil
}
