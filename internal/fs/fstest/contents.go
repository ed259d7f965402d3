package fstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/weft-project/weft/internal/fs"
)

// testSeek reads at many places, near and far, forwards and back, within a file of several blocks where the store has them.
func testSeek(t *testing.T, s suite) {
	data := Pattern(3<<20 + 777)
	s.writeBlocks(t, "f", data)
	r, err := s.store.Open(t.Context(), s.path("f"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	rnd := rand.New(rand.NewPCG(1, 2))
	at := int64(0)
	size := int64(len(data))
	for range 200 {
		to := at
		switch rnd.IntN(4) {
		case 0:
			to = rnd.Int64N(size)
		case 1:
			to += rnd.Int64N(64 << 10)
		case 2:
			to += rnd.Int64N(512 << 10)
		case 3:
			to -= rnd.Int64N(100 << 10)
		}
		to = min(max(to, 0), size-1)
		pos, err := seek(r, rnd, at, to, size)
		if err != nil || pos != to {
			t.Fatalf("Seek to %d: %d, %v", to, pos, err)
		}
		buf := make([]byte, min(size-to, 1+rnd.Int64N(200<<10)))
		if _, err := io.ReadFull(r, buf); err != nil {
			t.Fatalf("read %d bytes at %d: %v", len(buf), to, err)
		}
		at = to + int64(len(buf))
		if !bytes.Equal(buf, data[to:at]) {
			t.Fatalf("%d bytes at %d differ from what was written", len(buf), to)
		}
	}
	for _, to := range []int64{size, size + 10} {
		if _, err := r.Seek(to, io.SeekStart); err != nil {
			t.Errorf("Seek to %d of %d: %v", to, size, err)
		}
		if n, err := r.Read(make([]byte, 10)); n != 0 || err != io.EOF {
			t.Errorf("Read at %d of %d: %d, %v, want EOF", to, size, n, err)
		}
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("Seek to -1: no error")
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("read from the start again: %d bytes, %v", len(got), err)
	}
}

// seek goes to a place in one of the three ways.
func seek(r fs.Reader, rnd *rand.Rand, at, to, size int64) (int64, error) {
	switch rnd.IntN(3) {
	case 0:
		return r.Seek(to-at, io.SeekCurrent)
	case 1:
		return r.Seek(to-size, io.SeekEnd)
	}
	return r.Seek(to, io.SeekStart)
}

// writeBlocks makes a file of blocks of 1 MiB where the store has blocks.
func (s suite) writeBlocks(t *testing.T, name string, data []byte) {
	t.Helper()
	w, err := s.store.Create(t.Context(), s.path(name), fs.CreateOptions{BlockSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	// In pieces of odd sizes, so that they straddle every boundary.
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 77_777)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func testLarge(t *testing.T, s suite) {
	for _, size := range []int{1 << 20, 2<<20 + 1, 9<<20 + 513} {
		data := Pattern(size)
		name := fmt.Sprint("blocks", size)
		s.writeBlocks(t, name, data)
		s.wants(t, name, data)
		name = fmt.Sprint("whole", size)
		s.write(t, name, data)
		s.wants(t, name, data)
	}
}

// testConcurrent uses the store from many goroutines at once.
func testConcurrent(t *testing.T, s suite) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			data := Pattern(1<<20 + i*1000)
			for j := range 3 {
				name := fmt.Sprintf("%d-%d", i, j)
				if err := s.roundTrip(t.Context(), name, data); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
	list, err := s.store.List(t.Context(), s.dir)
	if err != nil || len(list) != 24 {
		t.Errorf("List: %d entries, want 24, %v", len(list), err)
	}
}

// roundTrip writes a file under one name, renames it and reads it.
func (s suite) roundTrip(ctx context.Context, name string, data []byte) error {
	w, err := s.store.Create(ctx, s.path("."+name), fs.CreateOptions{})
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return errors.Join(err, w.Abort())
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := s.store.Rename(ctx, s.path("."+name), s.path(name), false); err != nil {
		return err
	}
	r, err := s.store.Open(ctx, s.path(name))
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	if err == nil && !bytes.Equal(got, data) {
		err = fmt.Errorf("%d bytes that differ from the %d written", len(got), len(data))
	}
	return errors.Join(err, r.Close())
}

// testCancelled uses a context that has ended, and one that ends while files are open.
func testCancelled(t *testing.T, s suite) {
	s.write(t, "f", Pattern(2<<20))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.store.Open(ctx, s.path("f"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.store.Create(ctx, s.path("w"), fs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(Pattern(100_000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = r.Read(make([]byte, 10))
	wantsErr(t, "Read", err, context.Canceled)
	if err := r.Close(); err != nil {
		t.Errorf("Close of the reader: %v", err)
	}
	_, err = w.Write([]byte("x"))
	wantsErr(t, "Write", err, context.Canceled)
	wantsErr(t, "Close", w.Close(), context.Canceled)
	if err := w.Abort(); err != nil {
		t.Errorf("Abort: %v", err)
	}
	s.wantsMissing(t, "w")
	_, err = s.store.Stat(ctx, s.path("f"))
	wantsErr(t, "Stat", err, context.Canceled)
	_, err = s.store.Open(ctx, s.path("f"))
	wantsErr(t, "Open", err, context.Canceled)
	_, err = s.store.Create(ctx, s.path("x"), fs.CreateOptions{})
	wantsErr(t, "Create", err, context.Canceled)
	s.wantsMissing(t, "x")
	wantsErr(t, "Delete", s.store.Delete(ctx, s.path("f"), true), context.Canceled)
	s.wants(t, "f", Pattern(2<<20))
}
