package rest_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

const token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// newHandler serves a backend; change may alter the options.
func newHandler(t *testing.T, b rest.Backend, change func(*rest.Options)) http.Handler {
	t.Helper()
	o := rest.Options{Backend: b, Token: token, Log: quiet()}
	if change != nil {
		change(&o)
	}
	s, err := rest.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	return s.Handler()
}

// ask sends a request as the owner unless header says otherwise.
func ask(h http.Handler, method, target, body string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	for k, v := range header {
		if v == "" {
			r.Header.Del(k)
			continue
		}
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// placed fills the sample's ids into a path of the table.
func placed(path string) string {
	return strings.NewReplacer(
		":jobid", resttest.RunningJob.String(), ":failed", resttest.FailedJob.String(), ":vertexid", resttest.Counts.String(),
		":taskmanagerid", "container_1760000000000_0007_01_000002", ":subtaskindex", "0", ":attempt", "1", ":filename", "jobmanager.log",
	).Replace(path)
}
