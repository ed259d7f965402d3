package hdfsha

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/internal/fs"
)

// Options of a store.
type Options struct {
	// Files and Dir are the folder of all clusters.
	Files fs.FileSystem
	Dir   string
	// Cluster is the cluster's id.
	Cluster string
	// Lease is how long a leader's file stays untouched before another may lead; 0 is a minute. A candidate's own wins.
	Lease time.Duration
	Log   *slog.Logger
}

// Store is the store of one cluster. It implements ha.Store.
type Store struct {
	o    Options
	base string

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup

	mu   sync.Mutex
	term *term // the last one
}

var _ ha.Store = (*Store)(nil)

// Open makes the store of a cluster. It touches nothing.
func Open(o Options) (*Store, error) {
	name, err := ha.CleanClusterID(o.Cluster)
	if err != nil {
		return nil, err
	}
	o.Cluster = name
	s := &Store{o: o.withDefaults(), base: folder(o.Dir, name)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Lease <= 0 {
		o.Lease = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// folder is a cluster's: one name, whatever its id.
func folder(dir, cluster string) string { return path.Join(dir, url.PathEscape(cluster)) }

const (
	aliveFile    = "alive"
	leaderFile   = "leader"
	ownerPrefix  = "owner-"
	freePrefix   = "free-"
	recordLimit  = 1 << 20
	readTries    = 3
	leastPoll    = 200 * time.Millisecond
	longestPoll  = 5 * time.Second
	standByPoll  = time.Second // there are few stand-bys
	privateFiles = 0o600
	privateDirs  = 0o700
)

var errClosed = errors.New("the high-availability store is closed")

func (s *Store) file(names ...string) string {
	return path.Join(append([]string{s.base}, names...)...)
}

func valueFile(k ha.Key) string { return string(k.Kind) + "-" + k.Job.String() }

// publishing is the folder of an epoch.
func (s *Store) publishing(e ha.Epoch, names ...string) string {
	return s.file(append([]string{ha.PublishingFolder(e)}, names...)...)
}

// Get is ha.Store's.
func (s *Store) Get(ctx context.Context, k ha.Key) ([]byte, error) {
	stored, err := readFile(ctx, s.o.Files, s.file(valueFile(k)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", k, ha.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	value, at, err := ha.Open(stored)
	if err == nil && at != nil {
		err = fmt.Errorf("it points to %s; expected the value itself", at.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	return value, nil
}

// readFile reads a file that may be replaced while it is read: then once more.
func readFile(ctx context.Context, files fs.FileSystem, p string) (data []byte, err error) {
	for range readTries {
		data, err = readOnce(ctx, files, p)
		if err == nil || errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
			break
		}
	}
	return data, err
}

func readOnce(ctx context.Context, files fs.FileSystem, p string) (data []byte, err error) {
	r, err := files.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if data, err = io.ReadAll(r); err == nil && int64(len(data)) != r.Size() {
		err = fmt.Errorf("%s: read %d bytes of %d", p, len(data), r.Size())
	}
	return data, err
}

// Jobs is ha.Store's.
func (s *Store) Jobs(ctx context.Context, kind ha.Kind) ([]id.Job, error) {
	list, err := s.o.Files.List(ctx, s.base)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []id.Job
	for _, f := range list {
		if text, ok := strings.CutPrefix(path.Base(f.Path), string(kind)+"-"); ok {
			if job, err := id.ParseJob(text); err == nil {
				out = append(out, job)
			}
		}
	}
	slices.SortFunc(out, func(a, b id.Job) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}

// Leader is ha.Store's.
func (s *Store) Leader(ctx context.Context) (ha.Leader, error) {
	doc, err := readFile(ctx, s.o.Files, s.file(leaderFile))
	if errors.Is(err, fs.ErrNotExist) {
		return ha.Leader{}, ha.ErrNoLeader
	}
	if err != nil {
		return ha.Leader{}, fmt.Errorf("read the leader's record: %w", err)
	}
	return ha.DecodeRecord[ha.Leader](doc)
}

// Watch is ha.Store's. It asks less often the longer it takes, and at times of its own, because all TaskManagers lose a leader at one moment;
// most questions are one call of the NameNode, for the record's times.
func (s *Store) Watch(ctx context.Context, seen ha.Leader) (ha.Leader, error) {
	var last fs.FileInfo
	for n := 0; ; n++ {
		if err := errors.Join(ctx.Err(), s.closed()); err != nil {
			return ha.Leader{}, fmt.Errorf("wait for a leader: %w", err)
		}
		info, err := s.o.Files.Stat(ctx, s.file(leaderFile))
		if err == nil && (n%8 == 0 || info != last) {
			var l ha.Leader
			if l, err = s.Leader(ctx); err == nil && l != seen {
				return l, nil
			}
			last = info
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ha.ErrNoLeader) {
			s.o.Log.Debug("the leader's record cannot be read", "error", err)
		}
		s.pause(ctx, ha.Backoff(leastPoll, longestPoll, n, rand.Float64()))
	}
}

func (s *Store) closed() error {
	if s.ctx.Err() != nil {
		return errClosed
	}
	return nil
}

// pause waits, unless the context or the store ends before.
func (s *Store) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
}

// Depose is ha.Store's. The leader's folder is marked as free; who campaigns renames it.
func (s *Store) Depose(ctx context.Context, l ha.Leader) error {
	err := createFile(ctx, s.o.Files, s.publishing(l.Epoch, freePrefix+l.Epoch.String()), nil)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return nil // marked already, or another leads
	}
	return err
}

// createFile makes a file with a content; the folder must be there.
func createFile(ctx context.Context, files fs.FileSystem, p string, data []byte) error {
	w, err := files.Create(ctx, p, fs.CreateOptions{Mode: privateFiles})
	if err != nil {
		return err
	}
	if len(data) > 0 {
		if _, err := w.Write(data); err != nil {
			return errors.Join(err, w.Abort())
		}
	}
	return w.Close()
}

// goodbye bounds what a process that ends, or that gives up, still says to the others.
const goodbye = 10 * time.Second

// Close is ha.Store's. When the file system does not answer soon, the others wait for the lease.
func (s *Store) Close() error {
	s.mu.Lock()
	t := s.term
	s.mu.Unlock()
	var err error
	if t != nil && t.Lose(ha.ErrResigned) {
		ctx, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		err = s.Depose(ctx, ha.Leader{Epoch: t.Epoch()})
	}
	s.stop()
	s.work.Wait()
	return err
}
