package hdfs

import (
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	hdfspb "github.com/weft-project/weft/internal/hadoop/proto/hdfs"
	"github.com/weft-project/weft/internal/hadoop/rpc/rpctest"
)

// TestEncryptionKey: the key of encrypted blocks is kept while it lasts and fetched anew before it ends, or when a DataNode does
// not know it any more.
func TestEncryptionKey(t *testing.T) {
	var asked atomic.Int32
	var life atomic.Int64
	nn, err := rpctest.Start(rpctest.Config{Handle: func(c rpctest.Call) (proto.Message, error) {
		if c.Method == "getServerDefaults" {
			return &hdfspb.GetServerDefaultsResponse{ServerDefaults: &hdfspb.FsServerDefaults{EncryptDataTransfer: proto.Bool(true)}}, nil
		}
		n := asked.Add(1)
		return &hdfspb.GetDataEncryptionKeyResponse{DataEncryptionKey: &hdfspb.DataEncryptionKey{KeyId: proto.Uint32(uint32(n)),
			BlockPoolId: proto.String("bp"), Nonce: []byte("n"), EncryptionKey: []byte("k"),
			ExpiryDate: proto.Uint64(uint64(time.Now().Add(time.Duration(life.Load())).UnixMilli()))}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nn.Close)
	store, err := New(hadoopconf.New(nil), nn.Addr(), Options{User: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	f := store.(*FS)
	key := func() uint32 {
		t.Helper()
		k, err := f.encryptionKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return k.GetKeyId()
	}
	life.Store(int64(keyMargin - time.Minute))
	if a, b := key(), key(); a != 1 || b != 2 {
		t.Errorf("keys %d and %d: one that ends soon is kept", a, b)
	}
	life.Store(int64(24 * time.Hour))
	if a, b := key(), key(); a != 3 || b != 3 {
		t.Errorf("keys %d and %d: one that lasts is fetched again", a, b)
	}
	f.dropKey()
	if a := key(); a != 4 {
		t.Errorf("key %d after it was unknown", a)
	}
}
