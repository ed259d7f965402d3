//go:build realhadoop

package hdfs_test

import (
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/fstest"
	"github.com/weft-project/weft/internal/fs/hdfs"
)

// BenchmarkWrite and BenchmarkRead move files of 256 MiB. Measure on a cluster started with -full-jit (WEFT_TEST_CLUSTER).
const benchSize = 256 << 20

func BenchmarkWrite(b *testing.B) {
	for _, streams := range []int{1, 4} {
		b.Run(fmt.Sprintf("%dstreams", streams), func(b *testing.B) {
			store := openStore(b, devcluster.Shared(b), hdfs.Options{})
			b.SetBytes(benchSize)
			for b.Loop() {
				each(b, streams, func(i int) error { return writeBench(b, store, i, benchSize/streams) })
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, streams := range []int{1, 4} {
		b.Run(fmt.Sprintf("%dstreams", streams), func(b *testing.B) {
			store := openStore(b, devcluster.Shared(b), hdfs.Options{})
			each(b, streams, func(i int) error { return writeBench(b, store, i, benchSize/streams) })
			b.SetBytes(benchSize)
			for b.Loop() {
				each(b, streams, func(i int) error { return readBench(b, store, i) })
			}
		})
	}
}

func each(b *testing.B, streams int, do func(i int) error) {
	var wg sync.WaitGroup
	for i := range streams {
		wg.Go(func() {
			if err := do(i); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

func writeBench(b *testing.B, store fs.FileSystem, i, size int) error {
	p := fmt.Sprintf("%s/bench/%d", store.Home(), i)
	if err := store.Delete(b.Context(), p, false); err != nil {
		return err
	}
	w, err := store.Create(b.Context(), p, fs.CreateOptions{Parents: true})
	if err != nil {
		return err
	}
	block := fstest.Pattern(1 << 20)
	for range size >> 20 {
		if _, err := w.Write(block); err != nil {
			return err
		}
	}
	return w.Close()
}

func readBench(b *testing.B, store fs.FileSystem, i int) error {
	r, err := store.Open(b.Context(), fmt.Sprintf("%s/bench/%d", store.Home(), i))
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, make([]byte, 256<<10)); err != nil {
		return err
	}
	return r.Close()
}
