package am

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/hdfsstate"
	"github.com/weft-project/weft/rest"
)

// blobs brings what clients upload by REST to where the owner's own client puts programs, as the owner: who submits for somebody
// else cannot write there, and what he brings from his own directories nobody else could read.
type blobs struct {
	ctx context.Context
	dir *hdfsstate.Dir
	app string
}

var _ rest.SharedBlobs = (*blobs)(nil)

// newBlobs makes the store; ctx ends what it does. None is for clusters that take no jobs of others.
func (a *application) newBlobs(ctx context.Context) (rest.Blobs, error) {
	if a.target() != config.TargetSession {
		return nil, nil
	}
	store, base, err := a.files.Get(a.manifest.Base)
	if err != nil {
		return nil, err
	}
	return &blobs{ctx, hdfsstate.Open(store, base, 0), a.manifest.Application}, nil
}

// Has is rest.Blobs'.
func (b *blobs) Has(hash string) (bool, error) {
	if err := checkHash(hash); err != nil {
		return false, err
	}
	return b.dir.UseBlob(b.ctx, b.app, hash)
}

// URI is rest.SharedBlobs'.
func (b *blobs) URI(hash string) string { return b.dir.BlobURI(hash) }

// Put is rest.Blobs': what came is checked before it gets its name.
func (b *blobs) Put(hash string, size int64, in io.Reader) error {
	if err := checkHash(hash); err != nil {
		return err
	}
	came := &counted{in: io.LimitReader(in, size+1), sum: sha256.New()}
	_, err := b.dir.PutBlob(b.ctx, b.app, hdfsstate.Blob{SHA256: hash, Size: size, Open: func() (io.ReadCloser, error) { return came, nil }})
	switch {
	case err == nil || !came.ended:
		return err
	case came.n != size:
		return wrongBlob(fmt.Sprintf("%d bytes or more came, expected %d", came.n, size))
	case hex.EncodeToString(came.sum.Sum(nil)) != hash:
		return wrongBlob(fmt.Sprintf("the %d bytes that came have the SHA-256 %x, expected %s", came.n, came.sum.Sum(nil), hash))
	}
	return err
}

// wrongBlob is rest.BadBlob: content that is not what it was said to be.
type wrongBlob string

// Error says what came.
func (e wrongBlob) Error() string { return string(e) }

// BadBlob is rest.BadBlob's.
func (wrongBlob) BadBlob() {}

// checkHash refuses what is no hash, so that nobody names another file.
func checkHash(text string) error {
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != sha256.Size || strings.ToLower(text) != text {
		return wrongBlob(fmt.Sprintf("%.80q is no SHA-256: expected 64 lower-case hexadecimal digits", text))
	}
	return nil
}

// counted counts and digests what is read.
type counted struct {
	in    io.Reader
	n     int64
	sum   hash.Hash
	ended bool
}

// Read is io.Reader's.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	c.sum.Write(p[:n])
	c.ended = c.ended || err == io.EOF
	return n, err
}

// Close is io.Closer's; the content is the caller's.
func (c *counted) Close() error { return nil }
