package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/weft-project/weft/id"
)

const (
	// maxJar bounds an uploaded program.
	maxJar = 512 << 20
	// maxJars bounds how many are kept.
	maxJars = 32
	// maxJarName bounds the name a program is kept under.
	maxJarName = 128
	// jarOverhead is for what a form has around the file.
	jarOverhead = 64 << 10
)

// Jars keeps uploaded programs in a directory, for GET and POST /jars. It is safe for use by many goroutines.
type Jars struct {
	dir   string
	check func(path, name string) (string, error)

	mu   sync.Mutex
	kept map[string]Jar
	// coming counts uploads under way.
	coming int
}

// NewJars makes a store in a directory that is made and must be this process's alone. check refuses, with a sentence that calls it
// name, a file that is no program for the cluster, and gives its main package.
func NewJars(dir string, check func(path, name string) (mainPackage string, err error)) (*Jars, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory for uploaded programs: %w", err)
	}
	return &Jars{dir: dir, check: check, kept: map[string]Jar{}}, nil
}

// JarList is GET /jars.
type JarList struct {
	// Address is the server's.
	Address string `json:"address"`
	Files   []Jar  `json:"files"`
}

// Jar is an uploaded program: a job's binary, where Flink has a jar.
type Jar struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Uploaded is when, in milliseconds since 1970.
	Uploaded int64 `json:"uploaded"`
	// Entries has the program's main package only.
	Entries []JarEntry `json:"entry"`

	program Program
}

// JarEntry names a place where a program starts.
type JarEntry struct {
	Name        string  `json:"name"`
	Description *string `json:"description"`
}

// JarUpload answers POST /jars/upload. The last part of the file name is the program's id.
type JarUpload struct {
	FileName string `json:"filename"`
	Status   string `json:"status"`
}

// oddInNames are characters that file names of the store do not have.
var oddInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// jarName makes a name that may be part of a file's name of what a client calls its file.
func jarName(sent string) string {
	name := oddInNames.ReplaceAllString(sent[strings.LastIndexAny(sent, `/\`)+1:], "_")
	name = name[max(0, len(name)-maxJarName):]
	if strings.Trim(name, "._-") == "" {
		return "job"
	}
	return name
}

// put keeps what in gives under a new id.
func (j *Jars) put(sent string, in io.Reader) (_ Jar, _ string, err error) {
	if err := j.reserve(); err != nil {
		return Jar{}, "", err
	}
	name := jarName(sent)
	jar := Jar{ID: id.NewJob().String() + "_" + name, Name: name}
	path := filepath.Join(j.dir, jar.ID)
	defer func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.coming--
		if err == nil {
			j.kept[jar.ID] = jar
		}
	}()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Jar{}, "", fmt.Errorf("keep an uploaded program: %w", err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(in, maxJar+1))
	if err = errors.Join(err, f.Close()); err == nil && n > maxJar {
		err = &Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("%s is larger than %d bytes", name, int64(maxJar))}
	}
	var entry string
	if err == nil {
		if entry, err = j.check(path, name); err != nil {
			err = Invalid("%v", err)
		}
	}
	if err != nil {
		return Jar{}, "", errors.Join(err, os.Remove(path))
	}
	jar.program = Program{Path: path, Name: name, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: n}
	jar.Uploaded, jar.Entries = time.Now().UnixMilli(), []JarEntry{{Name: entry}}
	return jar, path, nil
}

// reserve makes room for an upload.
func (j *Jars) reserve() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.kept)+j.coming >= maxJars {
		return Conflict("%d uploaded programs are kept already: delete some first (DELETE /jars/:jarid)", len(j.kept)+j.coming)
	}
	j.coming++
	return nil
}

// list gives the programs, newest first.
func (j *Jars) list() []Jar {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]Jar, 0, len(j.kept))
	for _, jar := range j.kept {
		list = append(list, jar)
	}
	sort.Slice(list, func(a, b int) bool {
		if list[a].Uploaded != list[b].Uploaded {
			return list[a].Uploaded > list[b].Uploaded
		}
		return list[a].ID < list[b].ID
	})
	return list
}

// get looks a program up.
func (j *Jars) get(jarID string) (Jar, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	jar, ok := j.kept[jarID]
	if !ok {
		return jar, NotFound("no program was uploaded as %.200q", jarID)
	}
	return jar, nil
}

// remove deletes a program.
func (j *Jars) remove(jarID string) error {
	if _, err := j.get(jarID); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := os.Remove(filepath.Join(j.dir, jarID)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete an uploaded program: %w", err)
	}
	delete(j.kept, jarID)
	return nil
}
