// Package yarnrpc is a driver: YARN's three protocols over Hadoop RPC, in terms of Go.
//
//   - ClientRM submits applications and asks the ResourceManager about applications, nodes and queues.
//   - ApplicationMaster registers, asks for containers and hears of them; what is asked for and released is kept by Asks, a
//     pure core. It survives a restart of the ResourceManager, its fail-over, and the roll-over of its token.
//   - NodeManagers starts, stops and looks at containers.
//
// The last two authenticate by token on insecure clusters, too: the ApplicationMaster's is in the credentials file that YARN
// gives its container, a NodeManager's comes with the first container on it.
//
// Errors that the ResourceManager or a NodeManager threw are *rpc.RemoteError; the sentinels of this package and of rpc tell
// the important ones apart with errors.Is.
package yarnrpc
