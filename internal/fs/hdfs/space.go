package hdfs

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/internal/fs"
	hdfspb "github.com/weft-project/weft/internal/hadoop/proto/hdfs"
	"github.com/weft-project/weft/internal/hadoop/rpc"
)

// noDataNode knows the NameNode's answer when it finds no DataNode for a block. The nodes that it calls excluded are those
// that it tried itself: full, busy, or registered after its restart and without a heartbeat that tells of their disks.
func noDataNode(err error) (text string, yes bool) {
	var remote *rpc.RemoteError
	if !errors.As(err, &remote) {
		return "", false
	}
	text = remote.Message
	return text, strings.Contains(text, "could only be written to") || strings.Contains(text, "could only be replicated to")
}

// addBlock asks for the next block. A file system without room is said so at once; DataNodes that only cannot take a block yet
// are waited for like a NameNode.
func (s *session) addBlock(req []byte) ([]byte, error) {
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		answer, err := s.fs.relay(s.ctx, "addBlock", req)
		said, passing := noDataNode(err)
		if !passing {
			return answer, err
		}
		if full := s.full(); full != nil {
			return nil, fmt.Errorf("%w: %s", full, said)
		}
		if waited := time.Since(began); waited+pause > s.fs.maxWait {
			return nil, fmt.Errorf("no DataNode took a block for %v: %s", waited.Round(time.Second), said)
		}
		if pause == firstPause {
			s.fs.log.Warn("no DataNode takes a block yet", "uri", s.fs.uri, "waiting up to", s.fs.maxWait, "error", err)
		}
		if stop := delay.For(s.ctx, pause); stop != nil {
			return nil, fmt.Errorf("%w, last: %s", stop, said)
		}
	}
}

// full gives the error of a file system with less room than a block of the file; nil when there is room, or nobody knows:
// DataNodes that have not told of their disks have no capacity at all.
func (s *session) full() error {
	var stats hdfspb.GetFsStatsResponse
	if err := s.fs.invoke(s.ctx, "getFsStats", &hdfspb.GetFsStatsRequest{}, &stats); err != nil {
		s.fs.log.Debug("the room in hdfs is not known", "error", err)
		return nil
	}
	if stats.GetCapacity() == 0 || stats.GetRemaining() >= uint64(s.blockSize) {
		return nil
	}
	return fmt.Errorf("%w: %d of %d MiB are free and a block has %d MiB",
		fs.ErrNoSpace, stats.GetRemaining()>>20, stats.GetCapacity()>>20, s.blockSize>>20)
}
