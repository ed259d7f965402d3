package rest

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// Blobs keeps uploaded files under their SHA-256, on clusters whose machines share no file system.
type Blobs interface {
	// Has tells whether a file is there; the error says that the hash is none.
	Has(sha256 string) (bool, error)
	// Put keeps a file of this hash and size. What is not that is a BadBlob.
	Put(sha256 string, size int64, in io.Reader) error
}

// BadBlob is the error of Blobs.Put for content that is not what it was said to be.
type BadBlob interface {
	error
	BadBlob()
}

const (
	// maxBlob bounds an uploaded file.
	maxBlob = 4 << 30
	// blobTimeout is for receiving one.
	blobTimeout = time.Hour
)

// BlobStatus answers whether an uploaded file is there.
type BlobStatus struct {
	Present bool `json:"present"`
}

// errNoBlobs answers where jobs are uploaded to a shared file system.
func errNoBlobs() error {
	return NotFound("this JobManager keeps no files: its cluster has a shared file system")
}

func handleBlobStatus(s *Server, w http.ResponseWriter, r *http.Request) error {
	if s.blobs == nil {
		return errNoBlobs()
	}
	here, err := s.blobs.Has(r.PathValue("sha256"))
	if err != nil {
		return Invalid("%v", err)
	}
	return writeJSON(w, &BlobStatus{Present: here})
}

func handleBlobUpload(s *Server, w http.ResponseWriter, r *http.Request) error {
	if s.blobs == nil {
		return errNoBlobs()
	}
	hash := r.PathValue("sha256")
	if _, err := s.blobs.Has(hash); err != nil {
		return Invalid("%v", err)
	}
	switch {
	case r.ContentLength < 0:
		return &Error{Status: http.StatusLengthRequired, Message: "the length of the file must be said (Content-Length)"}
	case r.ContentLength > maxBlob:
		return &Error{Status: http.StatusRequestEntityTooLarge, Message: "the file is larger than 4 GiB"}
	}
	control := http.NewResponseController(w)
	deadline := time.Now().Add(blobTimeout)
	for _, set := range []func(time.Time) error{control.SetReadDeadline, control.SetWriteDeadline} {
		if err := set(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	err := s.blobs.Put(hash, r.ContentLength, r.Body)
	var bad BadBlob
	if errors.As(err, &bad) {
		return Invalid("file %s: %v", hash, err)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, &BlobStatus{Present: true})
}
