package standalone

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weft-project/weft/internal/jobbinary"
	"github.com/weft-project/weft/jobmanager"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/controlpb"
)

// jars is the store of uploaded programs, beside the JobManager's other files; nil for a cluster that is there for one main.
func (o *Options) jars(blobs *jobmanager.Blobs) (*rest.Jars, error) {
	if o.Job != nil {
		return nil, nil
	}
	return rest.NewJars(filepath.Join(filepath.Dir(blobs.Dir()), "jars"), jobbinary.CheckOwn)
}

// keepProgram puts an uploaded program among the files that TaskManagers fetch from the JobManager.
func keepProgram(blobs *jobmanager.Blobs) rest.KeepProgram {
	return func(_ context.Context, p rest.Program) (*controlpb.BlobRef, error) {
		if err := putProgram(blobs, p); err != nil {
			return nil, fmt.Errorf("keep %s for the TaskManagers: %w", p.Name, err)
		}
		return &controlpb.BlobRef{Sha256: p.SHA256, Size: p.Size, Uri: jobmanager.BlobURI, Name: p.Name}, nil
	}
}

func putProgram(blobs *jobmanager.Blobs, p rest.Program) error {
	if here, err := blobs.Has(p.SHA256); here || err != nil {
		return err
	}
	f, err := os.Open(p.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	return blobs.Put(p.SHA256, p.Size, f)
}
