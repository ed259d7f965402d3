package client

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
	"github.com/weft-project/weft/yarnrpc"
)

// shared are files that a JobManager brings to a file system.
type shared map[string]string

func (s shared) Has(hash string) (bool, error) { return s[hash] != "", nil }

func (s shared) Put(hash string, _ int64, in io.Reader) error {
	b, err := io.ReadAll(in)
	s[hash] = string(b)
	return err
}

func (s shared) URI(hash string) string { return "hdfs://h:1/user/ada/.weft/blobs/" + hash }

// A program for the session of somebody else goes by its JobManager, which puts it where its owner can read it; the command says as whom it runs.
func TestProgramForAnothersSession(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef"
	kept := shared{}
	server, err := rest.NewServer(rest.Options{Backend: resttest.Sample(), Token: token, Blobs: kept, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	at := httptest.NewServer(server.Handler())
	defer at.Close()
	c, said := securedClient(t)
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds it there
		r := &jobRun{client: c, bins: &jobBinaries{cluster: program, name: "program"}}
		if r.session, err = c.newSession(yarnrpc.ApplicationID{ClusterTimestamp: 1, Number: 1}, strings.TrimPrefix(at.URL, "http://"), token); err != nil {
			t.Fatal(err)
		}
		if r.foreign = r.session.noteOwner(t.Context()); !r.foreign || !strings.Contains(said.String(), "this job runs as ada,") {
			t.Fatalf("foreign %v, said %q", r.foreign, said)
		}
		if err := r.upload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.binary.GetUri() != kept.URI(r.binary.GetSha256()) || kept[r.binary.GetSha256()] != "a program" {
			t.Errorf("%v, kept %q", r.binary, kept)
		}
	}
	if n := strings.Count(said.String(), "to the JobManager"); n != 1 {
		t.Errorf("uploaded %d times: %s", n, said)
	}
}
