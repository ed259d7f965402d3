package am

import (
	"context"

	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/jobmanager"
)

// scratchNotes keeps the places of unfinished output in the application's directory, where the user's next command finds them
// when this attempt was killed and YARN starts no other.
type scratchNotes struct {
	dir *hdfsstate.Dir
	app string
}

var _ jobmanager.ScratchNotes = scratchNotes{}

// noteScratch gives the JobManager a place for its notes.
func (a *application) noteScratch(o *jobmanager.Options) error {
	store, base, err := a.files.Get(a.manifest.Base)
	if err != nil {
		return err
	}
	o.Scratch = scratchNotes{hdfsstate.Open(store, base, 0), a.manifest.Application}
	return nil
}

// Note is ScratchNotes'.
func (s scratchNotes) Note(ctx context.Context, job string, uris []string) error {
	return s.dir.NoteScratch(ctx, s.app, job, uris)
}

// Forget is ScratchNotes'.
func (s scratchNotes) Forget(ctx context.Context, job string) error {
	return s.dir.ForgetScratch(ctx, s.app, job)
}
