//go:build !unix

package procstat

import "time"

// processorTime is not known here.
func processorTime() time.Duration { return 0 }
