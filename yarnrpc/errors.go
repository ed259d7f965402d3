package yarnrpc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weft-project/weft/internal/hadoop/rpc"
)

const exceptions = "org.apache.hadoop.yarn.exceptions."

// Sentinels for what YARN answers. Test with errors.Is.
var (
	// ErrApplicationNotFound is an application that the ResourceManager does not know (any more).
	ErrApplicationNotFound error = rpc.Class("the ResourceManager does not know the application", exceptions+"ApplicationNotFoundException")
	// ErrAttemptNotFound is an attempt that the ResourceManager does not know or has given up. An ApplicationMaster that gets
	// it must end: another attempt may run.
	ErrAttemptNotFound error = rpc.Class("the ResourceManager does not know the application attempt", exceptions+"ApplicationAttemptNotFoundException")
	// ErrNotRegistered asks an ApplicationMaster to register again; ApplicationMaster does so itself.
	ErrNotRegistered error = rpc.Class("the ApplicationMaster is not registered", exceptions+"ApplicationMasterNotRegisteredException")
	// ErrInvalidAMRequest is a request that does not fit the ApplicationMaster's state.
	ErrInvalidAMRequest error = rpc.Class("invalid request of an ApplicationMaster", exceptions+"InvalidApplicationMasterRequestException")
	// ErrInvalidResource is a container larger than the scheduler gives, or a label that is not allowed.
	ErrInvalidResource error = rpc.Class("no container of that size or label is given", exceptions+"InvalidResourceRequestException",
		exceptions+"InvalidLabelResourceRequestException", exceptions+"SchedulerInvalidResoureRequestException")
)

// ErrShutdown is the ResourceManager's order to end.
var ErrShutdown = errors.New("the ResourceManager ordered the ApplicationMaster to shut down")

// denied marks a refusal for want of permission as rpc.ErrAccessControl: the ResourceManager hides it in a general exception.
func denied(err error) error {
	var remote *rpc.RemoteError
	if errors.As(err, &remote) && strings.HasPrefix(remote.Message, "java.security.AccessControlException: ") {
		return fmt.Errorf("%w: %w", rpc.ErrAccessControl, err)
	}
	return err
}
