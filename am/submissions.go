package am

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/rest/restpb"
)

const (
	// submissionPrefix begins the names of submissions in the application's directory.
	submissionPrefix = "submission-"
	// maxSubmission bounds what is read of one, in bytes.
	maxSubmission = 1 << 30
)

// submissions keeps submissions in the application's directory for the attempt after this one.
type submissions struct {
	store fs.FileSystem
	dir   *hdfsstate.Dir
	base  string
	app   string
}

var _ jobmanager.Submissions = (*submissions)(nil)

// keepSubmissions lets jobs survive this attempt when YARN may start another one. The jobs of a main are submitted by the main of
// the next attempt.
func (a *application) keepSubmissions(ctx context.Context, o *jobmanager.Options) error {
	if config.Get(a.config, config.ApplicationAttempts) < 2 || a.target() == config.TargetApplication {
		return nil
	}
	store, base, err := a.files.Get(a.manifest.Base)
	if err != nil {
		return err
	}
	s := &submissions{store: store, dir: hdfsstate.Open(store, base, 0), base: base, app: a.manifest.Application}
	if o.Restored, err = s.load(ctx); err != nil {
		return fmt.Errorf("jobs of the attempt before: %w", err)
	}
	if len(o.Restored) > 0 {
		a.Log.Info("jobs of the attempt before are started again", "count", len(o.Restored))
	}
	o.Submissions = s
	return nil
}

// Save is Submissions'.
func (s *submissions) Save(ctx context.Context, r *restpb.SubmitRequest) error {
	b, err := proto.Marshal(r)
	if err != nil {
		return err
	}
	name := submissionPrefix + r.GetJobId()
	// A half-written one must never be taken for a whole one.
	if _, err := s.dir.PutPrivate(ctx, s.app, "."+name, b); err != nil {
		return err
	}
	return s.store.Rename(ctx, s.path("."+name), s.path(name), true)
}

// Remove is Submissions'.
func (s *submissions) Remove(ctx context.Context, job string) error {
	return s.store.Delete(ctx, s.path(submissionPrefix+job), false)
}

func (s *submissions) path(name string) string {
	return path.Join(hdfsstate.StagingDir(s.base, s.app), name)
}

// load gives what is there, the oldest first.
func (s *submissions) load(ctx context.Context) ([]*restpb.SubmitRequest, error) {
	entries, err := s.store.List(ctx, hdfsstate.StagingDir(s.base, s.app))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(entries, func(a, b fs.FileInfo) int { return a.ModTime.Compare(b.ModTime) })
	var out []*restpb.SubmitRequest
	for _, e := range entries {
		name := path.Base(e.Path)
		if !strings.HasPrefix(name, submissionPrefix) {
			continue
		}
		b, err := s.dir.ReadPrivate(ctx, s.app, name, maxSubmission)
		if err != nil {
			return nil, err
		}
		r := &restpb.SubmitRequest{}
		if err := proto.Unmarshal(b, r); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Path, err)
		}
		out = append(out, r)
	}
	return out, nil
}
