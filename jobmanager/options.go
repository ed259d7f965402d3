package jobmanager

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/graph/execution"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/security"
)

// TaskManagerSpec is the size of a TaskManager.
type TaskManagerSpec struct {
	// MemoryMB of its container.
	MemoryMB int
	VCores   int
	Slots    int
}

// ResourceDriver gets TaskManagers from a platform. Methods return at once.
type ResourceDriver interface {
	// Start begins; events are called until ctx ends.
	Start(ctx context.Context, epoch uint64, events ResourceEvents) error
	// Require says how many TaskManagers there should be in all, running ones and those to come. It is absolute: saying it
	// again changes nothing, and the driver asks for exactly what is missing.
	Require(n int)
	// Release ends the container of a TaskManager that is not needed.
	Release(taskManagerID string)
	// Doubt says that the connection to a TaskManager has ended: whether its container has ended should be known soon.
	Doubt(taskManagerID string)
	// Overview adds what the platform knows to the pages.
	Overview() ResourceOverview
}

// ResourceOverview is what a platform shows.
type ResourceOverview struct {
	ApplicationID, Name, User, Queue string
	// PendingTaskManagers are asked for or starting.
	PendingTaskManagers int
	// Shortage says why TaskManagers that were asked for some time ago do not come; empty when that is not so.
	Shortage string
	// Warning is what the owner should do something about before long; empty when there is nothing.
	Warning string
	// TokensEnd is when the delegation tokens end unless new ones come; zero where there are none.
	TokensEnd time.Time
}

// ResourceEvents is how a driver tells what happens. Calls return at once.
type ResourceEvents interface {
	// TaskManagerStarted: its process was launched; registration is awaited.
	TaskManagerStarted(id, host string)
	// TaskManagerLost: its container ended; reason is a sentence for people.
	TaskManagerLost(id string, reason string)
	// TaskManagerDraining: it should get no more jobs, for this reason; an empty reason takes that back.
	TaskManagerDraining(id, reason string)
	// Note is news for those whose jobs wait for TaskManagers.
	Note(text string)
	// RequestFailed: there will be no (more) TaskManagers, for this reason.
	RequestFailed(reason string)
	// Fatal: the cluster can not go on.
	Fatal(err error)
}

// Options of New.
type Options struct {
	// Epoch of this leader (F1).
	Epoch uint64
	// ClusterID names the cluster; on YARN the application id.
	ClusterID string
	// Target is how the cluster runs: config.TargetSession and its like, "standalone", …; it decides whose submissions are taken.
	Target string
	// Secret is the cluster's.
	Secret security.Secret
	Spec   TaskManagerSpec
	// Driver is nil where TaskManagers come by themselves; Overview, which may be nil, then says what the pages show of the platform.
	Driver   ResourceDriver
	Overview func() ResourceOverview
	// Submissions keeps submissions for a JobManager after this one; nil keeps none.
	Submissions Submissions
	// Restored are those that the JobManager before this one has left. Their jobs start when EarlierGone has returned, which it
	// does when no process of the JobManager before runs any more (nil: none does), or after the leaderless timeout. Their
	// attempts are numbered from FirstAttempt, so that no name of an earlier one is used again (F2).
	Restored     []*restpb.SubmitRequest
	EarlierGone  func(ctx context.Context)
	FirstAttempt int
	// Scratch keeps where that is which Files removes; nil keeps nothing.
	Scratch ScratchNotes
	// Files removes jobs' unfinished output.
	Files  *fs.Registry
	Config *config.Config
	Log    *slog.Logger
	// Version and Revision of this build.
	Version, Revision string
	// RPCListen is where TaskManagers dial.
	RPCListen net.Listener
	// Blobs are files that TaskManagers fetch from here; nil where they have a shared file system.
	Blobs *Blobs
	// Watch looks at a TaskManager that has registered; the function it gives tells later whether all of it has certainly ended.
	// Nil, or nil for a TaskManager, where only the driver or time can tell.
	Watch func(taskManagerID string) (ended func() bool)
}

// limits and times that follow from the configuration.
type settings struct {
	heartbeatInterval, heartbeatTimeout time.Duration
	leaderless                          time.Duration
	idle                                time.Duration
	slotRequest                         time.Duration
	registration                        time.Duration
}

func (o *Options) settings() settings {
	c := o.Config
	return settings{
		heartbeatInterval: config.Get(c, config.HeartbeatInterval),
		heartbeatTimeout:  config.Get(c, config.HeartbeatTimeout),
		leaderless:        config.Get(c, config.LeaderlessTimeout),
		idle:              config.Get(c, config.TaskManagerIdleTimeout),
		slotRequest:       config.Get(c, config.SlotRequestTimeout),
		registration:      config.Get(c, config.TaskManagerRegistrationTimeout),
	}
}

// strategyOf reads restart-strategy.*; a job's own configuration is read the same way.
func strategyOf(c *config.Config) (s execution.Strategy, err error) {
	switch kind := config.Get(c, config.RestartStrategy); kind {
	case "":
		return execution.DefaultStrategy(), nil
	case "none", "off", "disable":
		return execution.NoRestarts(), nil
	case "exponential-delay", "exponentialdelay":
		s, err = execution.ExponentialDelay(execution.Exponential{
			InitialBackoff: config.Get(c, config.ExponentialInitial), MaxBackoff: config.Get(c, config.ExponentialMax),
			BackoffMultiplier: config.Get(c, config.ExponentialMultiplier), ResetBackoffThreshold: config.Get(c, config.ExponentialReset),
			JitterFactor: config.Get(c, config.ExponentialJitter), AttemptsBeforeResetBackoff: config.Get(c, config.ExponentialAttempts)})
	case "failure-rate", "failurerate":
		s, err = execution.FailureRate(config.Get(c, config.FailureRateMax), config.Get(c, config.FailureRateInterval),
			config.Get(c, config.FailureRateDelay))
	default:
		s = execution.FixedDelay(config.Get(c, config.FixedDelayAttempts), config.Get(c, config.FixedDelay))
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", config.RestartStrategy.Key, err)
	}
	return s, nil
}

// platform is what the pages show of it.
func (o *Options) platform() ResourceOverview {
	switch {
	case o.Driver != nil:
		return o.Driver.Overview()
	case o.Overview != nil:
		return o.Overview()
	}
	return ResourceOverview{}
}
