package devcluster

import (
	"context"
	"os"
	"sync"
	"testing"
)

// TestClusterEnv names the variable with the directory of a cluster that tests share instead of starting their own.
const TestClusterEnv = "WEFT_TEST_CLUSTER"

// shared is the test process's one default cluster. It is the only state of the process here, and belongs to the test
// binary, not to anything under test.
var shared struct {
	sync.Mutex
	cluster *Cluster
	err     error
}

// Shared returns the default cluster (two NodeManagers, one DataNode) of this test binary, started at the first call, or
// the one that WEFT_TEST_CLUSTER names. It fails the test when there is none. Other tests use the cluster at the same
// time: who stops daemons, fills queues or enters safe mode takes [Private].
func Shared(t testing.TB) *Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.err == nil {
		if dir := os.Getenv(TestClusterEnv); dir != "" {
			shared.cluster, shared.err = Open(dir)
		} else {
			shared.cluster, shared.err = Start(context.Background(), Options{})
		}
	}
	if shared.err != nil {
		t.Fatalf("this test needs a real Hadoop: %v", shared.err)
	}
	keepOnFailure(t, shared.cluster)
	return shared.cluster
}

// Private starts a cluster for one test, which it stops when the test ends. Its directory is removed unless the test
// failed.
func Private(t testing.TB, o Options) *Cluster {
	t.Helper()
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("this test needs a real Hadoop: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Errorf("stop the cluster: %v", err)
		}
	})
	keepOnFailure(t, c)
	return c
}

// keepOnFailure keeps the cluster's directory when the test fails, and says where the logs are.
func keepOnFailure(t testing.TB, c *Cluster) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		if err := c.Keep(); err != nil {
			t.Logf("keep the cluster's directory: %v", err)
		}
		t.Logf("the cluster's logs are in %s", c.LogDir())
	})
}
