//go:build realhadoop && long

package hdfs_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/fstest"
	"github.com/weft-project/weft/internal/fs/hdfs"
	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/sasl"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// TestToken runs the suite with nothing but a delegation token, on clusters that encrypt calls and blocks, once for each kind
// of encryption.
func TestToken(t *testing.T) {
	for name, hdfsSite := range map[string]map[string]string{
		"AES": {"dfs.encrypt.data.transfer.cipher.suites": "AES/CTR/NoPadding"},
		"RC4": {"dfs.encrypt.data.transfer.algorithm": "rc4"},
	} {
		t.Run(name, func(t *testing.T) {
			hdfsSite["dfs.namenode.delegation.token.always-use"] = "true"
			hdfsSite["dfs.block.access.token.enable"] = "true"
			hdfsSite["dfs.encrypt.data.transfer"] = "true"
			testToken(t, devcluster.Private(t, devcluster.Options{HDFSOnly: true, Conf: map[string]map[string]string{
				"core-site.xml": {"hadoop.rpc.protection": "privacy"}, "hdfs-site.xml": hdfsSite}}))
		})
	}
}

func testToken(t *testing.T, c *devcluster.Cluster) {
	creds := &token.Credentials{}
	tok := delegationToken(t, c, "weaver")
	tok.Service = c.NameNode()
	creds.Add(tok.Service, tok)
	must(t, openStore(t, c, hdfs.Options{}).MkdirAll(t.Context(), "/store", 0o777))
	must(t, openStore(t, c, hdfs.Options{}).Chmod(t.Context(), "/store", 0o777))
	// The name given is another than the token's owner, who counts.
	store := openStore(t, c, hdfs.Options{User: "somebody", Credentials: creds})
	must(t, store.MkdirAll(t.Context(), "/store/mine", 0o755))
	st, err := store.Stat(t.Context(), "/store/mine")
	if err != nil || st.Owner != "weaver" {
		t.Errorf("owner %q of a directory made with the token of weaver, %v", st.Owner, err)
	}
	if err := store.Chmod(t.Context(), "/", 0o777); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Chmod of another's directory: %v", err)
	}
	_, err = store.Create(t.Context(), "/f", fs.CreateOptions{})
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Create in another's directory: %v", err)
	}
	t.Log(err)
	fstest.Run(t, store, "/store/conformance")
}

// delegationToken asks the NameNode for a token of a user.
func delegationToken(t *testing.T, c *devcluster.Cluster, user string) token.Token {
	t.Helper()
	client := rpc.NewClient(rpc.Options{})
	defer client.Close()
	p := client.Proxy(rpc.Target{Name: "NameNode", Addresses: []string{c.NameNode()}, Security: &rpc.Security{User: user, Protection: []sasl.QOP{sasl.AuthConf}},
		Protocol: rpc.Protocol{Name: "org.apache.hadoop.hdfs.protocol.ClientProtocol", Version: 1}})
	var resp commonpb.GetDelegationTokenResponse
	if err := p.Call(t.Context(), "getDelegationToken", &commonpb.GetDelegationTokenRequest{Renewer: proto.String(user)}, &resp); err != nil {
		t.Fatal(err)
	}
	return token.FromProto(resp.GetToken())
}
