package hdfs

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/hadoop/rpc"
)

// The NameNode's answer when it finds no place for a block is known in the words of each release.
func TestNoDataNode(t *testing.T) {
	for text, want := range map[string]bool{
		"File /f could only be written to 0 of the 1 minReplication nodes. There are 1 datanode(s) running and 1 node(s) are excluded in this operation.": true,
		"File /f could only be replicated to 0 nodes instead of minReplication (=1).  There are 0 datanode(s) running and no node(s) are excluded":        true,
		"Not replicated yet: /f": false,
	} {
		if _, got := noDataNode(&rpc.RemoteError{Class: "java.io.IOException", Message: text}); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	if _, yes := noDataNode(io.EOF); yes {
		t.Error("an end of file")
	}
	if _, yes := noDataNode(nil); yes {
		t.Error("no error")
	}
}

// A DataNode that ends the connection instead of taking a block has refused it; later it has failed.
func TestBlockRefused(t *testing.T) {
	for _, answered := range []bool{false, true} {
		ours, theirs := connected(t)
		c := newDataConn(&session{writing: true, fs: &FS{files: fileSettings{socketTimeout: time.Minute}}, conns: map[*dataConn]struct{}{}}, ours, "dn:9866")
		go func() {
			if answered {
				_, _ = theirs.Write([]byte("x")) // the reader says what came of it
			}
			theirs.Close()
		}()
		_, err := io.ReadAll(c)
		if err == nil || errors.Is(err, errBlockRefused) == answered || !strings.Contains(err.Error(), "DataNode dn:9866: read: ") {
			t.Errorf("answered %t: %v", answered, err)
		}
	}
}

// connected gives the ends of a TCP connection. Pipes refuse deadlines once the other end is closed, which no socket does.
func connected(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ours.Close()
		theirs.Close()
	})
	return ours, theirs
}
