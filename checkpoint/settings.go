package checkpoint

import (
	"fmt"
	"strings"
	"time"

	"github.com/weft-project/weft/config"
)

// Mode is what barriers promise.
type Mode uint8

// The modes.
const (
	// ExactlyOnce: inputs whose barrier has come are held back until all have.
	ExactlyOnce Mode = iota
	// AtLeastOnce: nothing is held back; what comes between the first barrier and the last is in the snapshot and comes again.
	AtLeastOnce
)

// Retention says what becomes of checkpoints when the job ends.
type Retention uint8

// The retentions.
const (
	// NoExternalized keeps none.
	NoExternalized Retention = iota
	// DeleteOnCancellation keeps those of failed jobs.
	DeleteOnCancellation
	// RetainOnCancellation keeps those of failed and of cancelled jobs.
	RetainOnCancellation
)

// Claim says whom the savepoint belongs to that a job is started from.
type Claim uint8

// The claims.
const (
	// NoClaim leaves it alone.
	NoClaim Claim = iota
	// ClaimIt makes it the job's, which deletes it when it is subsumed.
	ClaimIt
)

// Settings are a job's.
type Settings struct {
	// Interval is 0 where nothing is triggered by time.
	Interval, MinPause, Timeout time.Duration
	MaxConcurrent               int
	TolerableFailures           int
	Mode                        Mode
	Retention                   Retention
	NumRetained                 int
	AfterTasksFinish            bool
	// History is how many ended checkpoints are remembered.
	History int

	// Directory and Savepoints are URIs of directories; empty where none is configured.
	Directory, Savepoints string
	// Subdirectory: the job's checkpoints lie in a directory of its id below Directory.
	Subdirectory bool
	// InlineBelow is how large a piece of state is at most that goes into the metadata, in bytes.
	InlineBelow int
	// WriteBuffer is how much is written to the store at a time, in bytes.
	WriteBuffer int

	// RestorePath is the savepoint or checkpoint that the job starts from; empty for none.
	RestorePath string
	// AllowNonRestored: state in it that no operator wants is left out; otherwise it is refused.
	AllowNonRestored bool
	Claim            Claim
}

// concurrent is how many may be on their way: with a pause between them one at a time.
func (s *Settings) concurrent() int {
	if s.MinPause > 0 {
		return 1
	}
	return max(1, s.MaxConcurrent)
}

// SettingsOf reads a job's settings.
func SettingsOf(c *config.Config) (Settings, error) {
	s := Settings{
		Interval: config.Get(c, config.CheckpointInterval), MinPause: config.Get(c, config.CheckpointMinPause),
		Timeout: config.Get(c, config.CheckpointTimeout), MaxConcurrent: config.Get(c, config.CheckpointMaxConcurrent),
		TolerableFailures: config.Get(c, config.CheckpointTolerableFailures), NumRetained: config.Get(c, config.CheckpointNumRetained),
		AfterTasksFinish: config.Get(c, config.CheckpointAfterTasksFinish), History: config.Get(c, config.CheckpointHistory),
		Directory: config.Get(c, config.CheckpointDirectory), Savepoints: config.Get(c, config.SavepointDirectory),
		Subdirectory: config.Get(c, config.CheckpointSubdirectory), InlineBelow: int(config.Get(c, config.CheckpointInlineThreshold).Bytes()),
		WriteBuffer: int(config.Get(c, config.CheckpointWriteBuffer).Bytes()), RestorePath: config.Get(c, config.RestorePath),
		AllowNonRestored: config.Get(c, config.RestoreIgnoreUnclaimed),
	}
	if strings.EqualFold(config.Get(c, config.CheckpointMode), "AT_LEAST_ONCE") {
		s.Mode = AtLeastOnce
	}
	switch strings.ToUpper(config.Get(c, config.CheckpointRetention)) {
	case "DELETE_ON_CANCELLATION":
		s.Retention = DeleteOnCancellation
	case "RETAIN_ON_CANCELLATION":
		s.Retention = RetainOnCancellation
	}
	if strings.EqualFold(config.Get(c, config.RestoreClaimMode), "CLAIM") {
		s.Claim = ClaimIt
	}
	switch {
	case s.Interval > 0 && s.Interval < MinInterval:
		return s, fmt.Errorf("%s: %s is too short: expected %s or more", config.CheckpointInterval.Key, s.Interval, MinInterval)
	case s.Interval > 0 && s.Timeout < MinInterval:
		return s, fmt.Errorf("%s: %s is too short: expected %s or more", config.CheckpointTimeout.Key, s.Timeout, MinInterval)
	}
	return s, nil
}

// MinInterval is the shortest interval and timeout, as in Flink.
const MinInterval = 10 * time.Millisecond
