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

// SharedBlobs are Blobs in a file system that the TaskManagers share.
type SharedBlobs interface {
	Blobs
	// URI is where a file of this hash is, or would be.
	URI(sha256 string) string
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
	// URI is what a submission names the file by, where TaskManagers do not get it from the JobManager.
	URI string `json:"uri,omitempty"`
}

// errNoBlobs answers on clusters that take no jobs.
func errNoBlobs() error {
	return NotFound("this JobManager keeps no files: its cluster is there for one program")
}

// blobStatus is what is said of a file.
func (s *Server) blobStatus(hash string, present bool) *BlobStatus {
	status := &BlobStatus{Present: present}
	if shared, ok := s.blobs.(SharedBlobs); ok {
		status.URI = shared.URI(hash)
	}
	return status
}

func handleBlobStatus(s *Server, w http.ResponseWriter, r *http.Request) error {
	if s.blobs == nil {
		return errNoBlobs()
	}
	hash := r.PathValue("sha256")
	here, err := s.blobs.Has(hash)
	if err != nil {
		return blobError(hash, err)
	}
	return writeJSON(w, s.blobStatus(hash, here))
}

func handleBlobUpload(s *Server, w http.ResponseWriter, r *http.Request) error {
	if s.blobs == nil {
		return errNoBlobs()
	}
	hash := r.PathValue("sha256")
	if _, err := s.blobs.Has(hash); err != nil {
		return blobError(hash, err)
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
	if err := s.blobs.Put(hash, r.ContentLength, r.Body); err != nil {
		return blobError(hash, err)
	}
	return writeJSON(w, s.blobStatus(hash, true))
}

// blobError tells a wrong request from what went wrong here.
func blobError(hash string, err error) error {
	var bad BadBlob
	if errors.As(err, &bad) {
		return Invalid("file %.80s: %v", hash, err)
	}
	return err
}
