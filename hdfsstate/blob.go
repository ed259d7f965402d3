package hdfsstate

import (
	"context"
	"errors"

	"github.com/weft-project/weft/internal/fs"
)

// BlobURI is where a blob of this hash lies, or would.
func (d *Dir) BlobURI(hash string) string { return d.store.URI() + d.blobPath(hash) }

// UseBlob tells whether a blob is there, and notes in that case that the application uses it.
func (d *Dir) UseBlob(ctx context.Context, app, hash string) (bool, error) {
	there := func() (bool, error) {
		_, err := d.store.Stat(ctx, d.blobPath(hash))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	if ok, err := there(); !ok || err != nil {
		return false, err
	}
	if err := d.reference(ctx, app, hash); err != nil {
		return false, err
	}
	// A clean-up may have run between the two.
	return there()
}
