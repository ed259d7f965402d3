package planproc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/rpc/planpb"
)

// CheckFiles fails for inputs that are missing and outputs that are there, where that can be seen from here: in the cluster's
// file system. Local paths are those of the cluster's machines.
func CheckFiles(ctx context.Context, stores *fs.Registry, g *planpb.JobGraph) error {
	look := func(uri string) (found, seen bool, err error) {
		store, p, err := stores.Get(uri)
		if err != nil {
			return false, false, &Error{err.Error()}
		}
		if strings.HasPrefix(store.URI(), "file:") {
			return false, false, nil
		}
		_, err = store.Stat(ctx, p)
		if errors.Is(err, fs.ErrNotExist) {
			return false, true, nil
		}
		return err == nil, err == nil, err
	}
	for _, in := range g.Inputs {
		found, seen, err := look(in)
		if err != nil {
			return fmt.Errorf("input %s: %w", in, err)
		}
		if seen && !found {
			return wrong("input %s does not exist", in)
		}
	}
	for _, out := range g.Outputs {
		found, _, err := look(out)
		if err != nil {
			return fmt.Errorf("output %s: %w", out, err)
		}
		if found {
			return wrong("output %s exists already; remove it or choose another path", out)
		}
	}
	return nil
}
