package hdfs

import (
	"context"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
	hdfspb "github.com/weft-project/weft/internal/hadoop/proto/hdfs"
	"github.com/weft-project/weft/internal/hadoop/rpc"
)

// userMappings is the NameNode's interface that tells the groups of users.
var userMappings = rpc.Protocol{Name: "org.apache.hadoop.tools.GetUserMappingsProtocol", Version: 1}

// Groups asks the NameNode for a user's groups: those by which HDFS itself decides. A user that it does not know has none.
func (f *FS) Groups(ctx context.Context, user string) ([]string, error) {
	proxy := f.client.Proxy(rpc.Target{Name: "NameNode", Addresses: f.identity.addrs, Protocol: userMappings, Security: f.proxy.Security(),
		Retry: rpc.Retry{MaxWait: f.maxWait, Interval: firstPause, MaxInterval: maxPause}})
	var out commonpb.GetGroupsForUserResponse
	if err := proxy.Call(ctx, "getGroupsForUser", &commonpb.GetGroupsForUserRequest{User: &user}, &out); err != nil {
		return nil, err
	}
	return out.GetGroups(), nil
}

// Quota is what a directory and all below it hold, and may hold. A limit below 0 is none.
type Quota struct {
	// Names counts files and directories; Space is in bytes and counts every replica.
	Names, NameLimit, Space, SpaceLimit int64
}

// Quota asks for the quotas of one directory; those of the directories above it are not looked at.
func (f *FS) Quota(ctx context.Context, path string) (Quota, error) {
	var out hdfspb.GetQuotaUsageResponse
	if err := f.invoke(ctx, "getQuotaUsage", &hdfspb.GetQuotaUsageRequest{Path: &path}, &out); err != nil {
		return Quota{}, f.fail("read the quota of", path, err)
	}
	u := out.GetUsage()
	return Quota{Names: int64(u.GetFileAndDirectoryCount()), NameLimit: int64(u.GetQuota()),
		Space: int64(u.GetSpaceConsumed()), SpaceLimit: int64(u.GetSpaceQuota())}, nil
}
