package am

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/internal/jobbinary"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
)

// jars is the store of uploaded programs; nil for clusters that are not for the jobs of others.
func (a *application) jars() (*rest.Jars, error) {
	if a.target() != config.TargetSession {
		return nil, nil
	}
	return rest.NewJars(path.Join(a.Dir, "jars"), jobbinary.CheckOwn)
}

// keepProgram brings an uploaded program to where clients bring theirs: an attempt after this one can run its jobs again.
func (a *application) keepProgram(ctx context.Context, p rest.Program) (*controlpb.BlobRef, error) {
	store, base, err := a.files.Get(a.manifest.Base)
	if err != nil {
		return nil, err
	}
	info, err := hdfsstate.Open(store, base, 0).PutBlob(ctx, a.manifest.Application, hdfsstate.Blob{SHA256: p.SHA256, Size: p.Size,
		Open: func() (io.ReadCloser, error) { return os.Open(p.Path) }})
	if err != nil {
		return nil, fmt.Errorf("bring %s to the TaskManagers: %w", p.Name, err)
	}
	return &controlpb.BlobRef{Sha256: p.SHA256, Size: p.Size, Uri: store.URI() + info.Path, Name: p.Name}, nil
}
