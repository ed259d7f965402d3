package fs

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// Factory opens the store for one authority ("" where the URI has none).
type Factory func(authority string) (FileSystem, error)

// Registry finds the FileSystem of a URI. The zero value is empty; use NewRegistry. It is safe for concurrent use.
type Registry struct {
	mu struct {
		sync.Mutex
		factories map[string]Factory
		open      map[string]FileSystem
		def       string
		absolute  bool
	}
}

// NewRegistry returns an empty registry. Paths without a scheme are local until SetDefault says otherwise.
func NewRegistry() *Registry {
	r := &Registry{}
	r.mu.factories = map[string]Factory{}
	r.mu.open = map[string]FileSystem{}
	r.mu.def = "file://"
	return r
}

// Register names the factory of a scheme ("hdfs", "file").
func (r *Registry) Register(scheme string, f Factory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.factories[scheme] = f
}

// SetDefault sets scheme://authority for paths without a scheme, as fs.defaultFS and fs.default-scheme do.
func (r *Registry) SetDefault(uri string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.def = strings.TrimRight(uri, "/")
	if strings.HasSuffix(r.mu.def, ":") {
		r.mu.def += "//"
	}
}

// RefuseRelative has local paths that are relative refused: the working directory is none of the author's.
func (r *Registry) RefuseRelative() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.absolute = true
}

// SplitURI cuts "scheme://authority/path" into its parts. A string without "://" is a path alone.
func SplitURI(uri string) (scheme, authority, p string) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		if s, r, ok := strings.Cut(uri, ":/"); ok && s != "" && !strings.ContainsAny(s, "/.") {
			return s, "", "/" + strings.TrimLeft(r, "/")
		}
		return "", "", uri
	}
	authority, p, ok = strings.Cut(rest, "/")
	if !ok {
		return scheme, authority, "/"
	}
	return scheme, authority, "/" + p
}

// Get returns the store of uri and the absolute path within it. A relative local path is taken from the working
// directory; a relative path on another default store from the user's home.
func (r *Registry) Get(uri string) (FileSystem, string, error) {
	scheme, authority, p := SplitURI(uri)
	r.mu.Lock()
	defer r.mu.Unlock()
	if scheme == "" {
		scheme, authority, _ = SplitURI(r.mu.def)
	} else if authority == "" {
		if ds, da, _ := SplitURI(r.mu.def); ds == scheme {
			authority = da
		}
	}
	key := scheme + "://" + authority
	store, ok := r.mu.open[key]
	if !ok {
		f, known := r.mu.factories[scheme]
		if !known {
			return nil, "", fmt.Errorf("path %q: no file system for scheme %q is configured (known: %s)", uri, scheme, r.schemesLocked())
		}
		var err error
		if store, err = f(authority); err != nil {
			return nil, "", fmt.Errorf("path %q: %w", uri, err)
		}
		r.mu.open[key] = store
	}
	if !strings.HasPrefix(p, "/") {
		if scheme == "file" && r.mu.absolute {
			return nil, "", fmt.Errorf("path %q: expected an absolute one: the cluster has no default file system, and a worker's directory is not yours", uri)
		}
		if scheme == "file" {
			abs, err := filepath.Abs(p)
			if err != nil {
				return nil, "", fmt.Errorf("path %q: %w", uri, err)
			}
			p = abs
		} else {
			p = path.Join(store.Home(), p)
		}
	}
	return store, path.Clean(p), nil
}

// Qualify returns uri with scheme and authority, so that it means the same on every machine.
func (r *Registry) Qualify(uri string) (string, error) {
	store, p, err := r.Get(uri)
	if err != nil {
		return "", err
	}
	return store.URI() + p, nil
}

func (r *Registry) schemesLocked() string {
	var s []string
	for k := range r.mu.factories {
		s = append(s, k)
	}
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, ", ")
}

// Close closes every store the registry has opened.
func (r *Registry) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first error
	for k, store := range r.mu.open {
		if err := store.Close(); err != nil && first == nil {
			first = err
		}
		delete(r.mu.open, k)
	}
	return first
}

// ExpandJob puts a job's id into a path of a job graph.
func ExpandJob(path, job string) string { return strings.ReplaceAll(path, "{job}", job) }
