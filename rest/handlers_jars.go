package rest

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// uploads is the store of uploaded programs, or why there is none.
func (s *Server) uploads() (*Jars, error) {
	if s.jars == nil {
		return nil, NotFound("this cluster takes no uploaded programs")
	}
	return s.jars, nil
}

func handleJars(s *Server, w http.ResponseWriter, r *http.Request) error {
	jars, err := s.uploads()
	if err != nil {
		return err
	}
	return writeJSON(w, &JarList{Address: "http://" + r.Host, Files: jars.list()})
}

func handleJar(s *Server, w http.ResponseWriter, r *http.Request) error {
	jars, err := s.uploads()
	if err != nil {
		return err
	}
	jar, err := jars.get(r.PathValue("jarid"))
	if err != nil {
		return err
	}
	return writeJSON(w, &jar)
}

func handleJarDelete(s *Server, w http.ResponseWriter, r *http.Request) error {
	jars, err := s.uploads()
	if err != nil {
		return err
	}
	if err := jars.remove(r.PathValue("jarid")); err != nil {
		return err
	}
	return writeJSON(w, &struct{}{})
}

// handleJarUpload takes the first file of a form; Flink calls its field jarfile, but does not look at the name either.
func handleJarUpload(s *Server, w http.ResponseWriter, r *http.Request) error {
	jars, err := s.uploads()
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	deadline := time.Now().Add(blobTimeout)
	for _, set := range []func(time.Time) error{control.SetReadDeadline, control.SetWriteDeadline} {
		if err := set(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	form, err := r.MultipartReader()
	if err != nil {
		return &Error{Status: http.StatusUnsupportedMediaType,
			Message: "a program is uploaded as the file of a form (multipart/form-data), such as with curl -F jarfile=@PROGRAM"}
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return Invalid("the form has no file; a program is uploaded as one, such as with curl -F jarfile=@PROGRAM")
		}
		if err != nil {
			return broken(err)
		}
		if part.FileName() == "" {
			continue
		}
		jar, path, err := jars.put(part.FileName(), part)
		if err != nil {
			return broken(err)
		}
		s.log.Info("a program was uploaded", "id", jar.ID, "peer", r.RemoteAddr)
		return writeJSON(w, &JarUpload{FileName: path, Status: "success"})
	}
}

// broken tells a form that ends too early from errors of this process.
func broken(err error) error {
	var known *Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &known), errors.As(err, &tooLarge):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Invalid("the form is cut off: %v", err)
	}
	return err
}
