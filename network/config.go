package network

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/network/frame"
	"github.com/weft-project/weft/security"
)

// Defaults of Config.
const (
	DefaultBufferSize     = 32 << 10
	DefaultExclusive      = 2
	DefaultFloating       = 8
	DefaultLocalBatches   = 4
	DefaultMaxRecord      = 64 << 20
	DefaultRequestTimeout = 10 * time.Second
)

// EmbeddedAddr is the address of a Manager that does not listen.
const EmbeddedAddr = "local"

// Config of a Manager. Zero values mean the defaults.
type Config struct {
	// Listen is the host:port to listen on, port 0 for any; the host is what other workers dial. Empty: no listening,
	// all channels are local.
	Listen string
	// Secret is the job's secret. All workers of a job have the same.
	Secret security.Secret
	Job    id.Job
	// JobAttempt numbers the executions of the job: workers of different ones do not talk (F2).
	JobAttempt int
	// BufferSize in bytes, the same in all workers of a job.
	BufferSize int
	// ExclusivePerChannel and FloatingPerGate bound the buffers of a gate's remote channels, and in the same way those
	// of a partition.
	ExclusivePerChannel, FloatingPerGate int
	// LocalBatches is how many batches a local channel has under way at most.
	LocalBatches int
	// MaxRecord is the longest payload of SendLarge in bytes.
	MaxRecord int
	// RequestTimeout is how long a consumer tries to reach a producer and waits for its partition, and how long a call
	// waits for its service to appear.
	RequestTimeout time.Duration
	Log            *slog.Logger
}

// withDefaults fills and checks c.
func (c Config) withDefaults() (Config, error) {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.BufferSize, DefaultBufferSize)
	set(&c.ExclusivePerChannel, DefaultExclusive)
	set(&c.FloatingPerGate, DefaultFloating)
	set(&c.LocalBatches, DefaultLocalBatches)
	set(&c.MaxRecord, DefaultMaxRecord)
	if c.RequestTimeout == 0 {
		c.RequestTimeout = DefaultRequestTimeout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.BufferSize < 1<<10 || c.BufferSize > 16<<20:
		return c, fmt.Errorf("network buffer size %d: expected 1 KiB to 16 MiB", c.BufferSize)
	case c.ExclusivePerChannel < 1 || c.FloatingPerGate < 0 || c.LocalBatches < 1:
		return c, fmt.Errorf("network buffers: %d for each channel, %d for each gate, %d local batches: expected at least 1, 0 and 1",
			c.ExclusivePerChannel, c.FloatingPerGate, c.LocalBatches)
	case c.MaxRecord < c.BufferSize || c.MaxRecord > math.MaxInt32:
		return c, fmt.Errorf("longest record %d: expected %d to %d bytes", c.MaxRecord, c.BufferSize, math.MaxInt32)
	case c.Listen != "" && !c.Secret.Valid():
		return c, errors.New("network: a worker that listens needs the job's secret")
	}
	return c, nil
}

// hello is what a Manager with this configuration says about itself.
func (c Config) hello(addr string) frame.Hello {
	return frame.Hello{BufferSize: c.BufferSize, Job: c.Job, JobAttempt: c.JobAttempt, Addr: addr}
}

// checkPeer refuses a proven peer that we must not talk to.
func (c Config) checkPeer(p frame.Hello) error {
	switch {
	case p.Job != c.Job:
		return fmt.Errorf("the worker belongs to job %v, this one to job %v", p.Job, c.Job)
	case p.JobAttempt < c.JobAttempt:
		return fmt.Errorf("%w: the worker is of attempt %d of the job, the current one is %d", ErrStale, p.JobAttempt, c.JobAttempt)
	case p.JobAttempt > c.JobAttempt:
		return fmt.Errorf("%w: this worker is of attempt %d of the job, the other one already of %d", ErrStale, c.JobAttempt, p.JobAttempt)
	case p.BufferSize != c.BufferSize:
		return fmt.Errorf("the worker has network buffers of %d bytes, this one of %d: they must be the same in the whole job", p.BufferSize, c.BufferSize)
	}
	return nil
}
