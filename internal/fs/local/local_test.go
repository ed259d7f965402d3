package local_test

import (
	"testing"

	"github.com/weft-project/weft/internal/fs/fstest"
	"github.com/weft-project/weft/internal/fs/local"
)

func TestConformance(t *testing.T) { fstest.Run(t, local.New(), t.TempDir()+"/store") }
