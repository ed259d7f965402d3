package hdfs

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/weft-project/weft/internal/hadoop/sasl"
)

// played is a connection to a DataNode that is not listened to by it: only what it writes is used.
type played struct{ net.Conn }

// Write is io.Writer's.
func (played) Write(b []byte) (int, error) { return len(b), nil }

// FuzzDataNode plays a DataNode to a client that wants protection; the seeds are what a real one (Hadoop 3.4.2) said at each level: the
// two answers of the negotiation, and the beginning of what follows.
func FuzzDataNode(f *testing.F) {
	b, err := os.ReadFile(filepath.Join("testdata", "datanode-handshakes.json"))
	if err != nil {
		f.Fatal(err)
	}
	var list []struct {
		Level   string
		Answers []string
	}
	if err := json.Unmarshal(b, &list); err != nil || len(list) != 3 {
		f.Fatalf("%d handshakes, %v", len(list), err)
	}
	levels := []sasl.QOP{sasl.AuthConf, sasl.AuthInt, sasl.Auth}
	for _, h := range list {
		var all []byte
		for _, text := range h.Answers {
			part, err := hex.DecodeString(text)
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, part...)
		}
		f.Add(all)
	}
	f.Fuzz(func(t *testing.T, server []byte) {
		for _, level := range levels {
			cfg := sasl.TokenDigest([]byte("block"), []byte("password"), transferProtocol, transferServer, []sasl.QOP{level})
			in := bufio.NewReader(bytes.NewReader(server))
			if r, _, err := negotiate(played{}, in, cfg); err == nil {
				t.Errorf("agreed with a DataNode that does not know the password")
				_, _ = io.Copy(io.Discard, r)
			}
		}
		// What comes after a negotiation that went well.
		_, _ = io.Copy(io.Discard, &unwrapper{in: bytes.NewReader(server), mech: open{}})
	})
}

// open protects nothing.
type open struct{ sasl.Mechanism }

// Unwrap is sasl.Mechanism's.
func (open) Unwrap(b []byte) ([]byte, error) { return b, nil }
