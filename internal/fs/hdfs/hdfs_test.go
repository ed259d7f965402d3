package hdfs

import (
	"context"
	"errors"
	iofs "io/fs"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	hdfspb "github.com/weft-project/weft/internal/hadoop/proto/hdfs"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// TestUnsupported: what would be read as garbage is refused, by what new and old NameNodes say of it.
func TestUnsupported(t *testing.T) {
	perm := func(bits uint32) *hdfspb.FsPermission { return &hdfspb.FsPermission{Perm: proto.Uint32(0o644 | bits)} }
	for _, c := range []struct {
		name string
		st   *hdfspb.HdfsFileStatus
		want error
	}{
		{"plain", &hdfspb.HdfsFileStatus{Permission: perm(0)}, nil},
		{"with an ACL", &hdfspb.HdfsFileStatus{Permission: perm(1 << 12), Flags: proto.Uint32(1)}, nil},
		{"encrypted file", &hdfspb.HdfsFileStatus{FileEncryptionInfo: &hdfspb.FileEncryptionInfo{}}, fs.ErrEncrypted},
		{"in an encryption zone", &hdfspb.HdfsFileStatus{Flags: proto.Uint32(2)}, fs.ErrEncrypted},
		{"encrypted, old NameNode", &hdfspb.HdfsFileStatus{Permission: perm(1 << 13)}, fs.ErrEncrypted},
		{"erasure coded", &hdfspb.HdfsFileStatus{EcPolicy: &hdfspb.ErasureCodingPolicy{Id: proto.Uint32(1)}}, fs.ErrErasureCoded},
		{"replication as a policy", &hdfspb.HdfsFileStatus{EcPolicy: &hdfspb.ErasureCodingPolicy{Id: proto.Uint32(0)}, Flags: proto.Uint32(4)}, nil},
		{"erasure coded by its flag", &hdfspb.HdfsFileStatus{Flags: proto.Uint32(4)}, fs.ErrErasureCoded},
		{"erasure coded, old NameNode", &hdfspb.HdfsFileStatus{Permission: perm(1 << 14)}, fs.ErrErasureCoded},
	} {
		if got := unsupported(c.st); !errors.Is(got, c.want) || got == nil != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		c.st.FileType = hdfspb.HdfsFileStatus_IS_FILE.Enum()
		if got := readable(c.st); !errors.Is(got, c.want) {
			t.Errorf("readable, %s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestErrors: exceptions become the sentinels of package fs, in one line that names the path.
func TestErrors(t *testing.T) {
	f := &FS{uri: "hdfs://nn:8020"}
	for class, want := range map[string]error{
		"java.io.FileNotFoundException":                                      fs.ErrNotExist,
		"org.apache.hadoop.fs.FileAlreadyExistsException":                    fs.ErrExist,
		"org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException":       fs.ErrExist,
		"org.apache.hadoop.fs.PathIsNotEmptyDirectoryException":              fs.ErrNotEmpty,
		"org.apache.hadoop.security.AccessControlException":                  fs.ErrPermission,
		"org.apache.hadoop.hdfs.server.namenode.SafeModeException":           fs.ErrSafeMode,
		"org.apache.hadoop.hdfs.protocol.NSQuotaExceededException":           nil,
		"org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException":   nil,
		"org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException":       nil,
		"org.apache.hadoop.hdfs.protocol.UnresolvedPathException$Unexpected": nil,
	} {
		cause := &rpc.RemoteError{Class: class, Message: "first line", Trace: "first line\n\tat stack"}
		err := f.fail("open", "/a", &iofs.PathError{Op: "create", Path: "/a", Err: &rpc.CallError{Addr: "nn:8020", Err: cause}})
		if want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", class, err, want)
		}
		text := err.Error()
		if !strings.HasPrefix(text, "open hdfs://nn:8020/a: ") || !strings.HasSuffix(text, "first line") || strings.Contains(text, "\n") {
			t.Errorf("%s: text %q", class, text)
		}
		var kind *Error
		if errors.As(err, &kind) && want == nil && kind.Kind != nil {
			t.Errorf("%s: kind %v, want none", class, kind.Kind)
		}
	}
}

// TestDown: a NameNode that is not there is waited for and told of, then named in one sentence.
func TestDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 10)
	store, err := New(hadoopconf.New(nil), addr, Options{User: "u", RetryMaxWait: 500 * time.Millisecond, OnWait: func(s string) { told <- s }})
	if err != nil {
		t.Fatal(err)
	}
	if store.URI() != "hdfs://"+addr || store.Home() != "/user/u" {
		t.Errorf("URI %s, Home %s", store.URI(), store.Home())
	}
	_, err = store.Create(t.Context(), "/a/f", fs.CreateOptions{})
	if !errors.Is(err, rpc.ErrConnect) || !strings.Contains(err.Error(), addr) {
		t.Errorf("Create: %v", err)
	}
	if len(told) != 1 {
		t.Errorf("OnWait was told %d times, want once", len(told))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Open(ctx, "/a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with a cancelled context: %v", err)
	}
	if _, err := store.Stat(t.Context(), "relative"); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("Stat of a relative path: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := store.Stat(t.Context(), "/"); err == nil {
		t.Error("Stat on a closed store: no error")
	}
}

// TestDelegationToken: the token is found by the name of its service.
func TestDelegationToken(t *testing.T) {
	add := func(services ...string) *token.Credentials {
		c := &token.Credentials{}
		for _, s := range services {
			c.Add(s, token.Token{Kind: token.KindHDFSDelegation, Service: s, Identifier: []byte(s)})
		}
		return c
	}
	for _, c := range []struct {
		name    string
		creds   *token.Credentials
		logical bool
		want    string
	}{
		{"none", nil, false, ""},
		{"logical", add("127.0.0.1:1", "ha-hdfs:ns", "other:8020"), true, "ha-hdfs:ns"},
		{"by address", add("127.0.0.1:8020", "other:8020"), false, "127.0.0.1:8020"},
		{"by name", add("localhost:8020", "other:8020"), false, "localhost:8020"},
		{"of another store", add("other:8020"), false, ""},
	} {
		got := delegationToken("ns", []string{"localhost:8020"}, c.logical, c.creds)
		if (got == nil) != (c.want == "") || got != nil && got.Service != c.want {
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	conf := hadoopconf.New(nil)
	if _, err := New(conf, "nn:8020", Options{}); err == nil || !strings.Contains(err.Error(), "user") {
		t.Errorf("without a user: %v", err)
	}
	if _, err := New(conf, "", Options{User: "u"}); err == nil || !strings.Contains(err.Error(), "fs.defaultFS") {
		t.Errorf("without an authority: %v", err)
	}
}
