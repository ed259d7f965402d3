package files

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/weft-project/weft/internal/fs"
)

const (
	// minSplit and maxSplit bound the bytes of a split.
	minSplit = 1 << 20
	maxSplit = 64 << 20
	// splitsPerReader is how many splits are aimed at for each reader: enough that a slow one does not hold up the end.
	splitsPerReader = 4
)

// Split is a part of a file; it owns the lines that start in it.
type Split struct {
	// URI is the file with scheme and authority.
	URI string
	// Offset and Length in bytes. A compressed file is one split.
	Offset, Length int64
	// FileSize is the length of the whole file.
	FileSize int64
	// Skip is how many lines of it were read before a checkpoint.
	Skip int `json:",omitempty"`
}

// Compressed tells whether the file is read as a gzip stream, by its name.
func (s Split) Compressed() bool { return strings.HasSuffix(s.URI, ".gz") }

// PlanSplits cuts the files that uri names (a file, a directory's files, or a glob in the last element) for so many
// readers. Files whose names begin with '_' or '.' are passed over in directories and globs, as Hadoop does.
func PlanSplits(ctx context.Context, reg *fs.Registry, uri string, readers int) ([]Split, error) {
	return planSplits(ctx, reg, uri, readers, false)
}

// planSplits is PlanSplits; whole leaves each file in one piece.
func planSplits(ctx context.Context, reg *fs.Registry, uri string, readers int, whole bool) ([]Split, error) {
	store, files, err := expand(ctx, reg, uri)
	if err != nil {
		return nil, err
	}
	return cut(store.URI(), files, readers, whole), nil
}

// cut makes splits of files of one store.
func cut(store string, files []fs.FileInfo, readers int, inOne bool) []Split {
	var total int64
	for _, f := range files {
		total += f.Size
	}
	size := min(maxSplit, max(minSplit, total/int64(max(1, readers)*splitsPerReader)+1))
	var splits []Split
	for _, f := range files {
		if f.Size == 0 {
			continue // a .gz file of no bytes is no gzip stream, but has no lines either
		}
		whole := Split{URI: store + f.Path, Length: f.Size, FileSize: f.Size}
		if inOne || whole.Compressed() {
			splits = append(splits, whole)
			continue
		}
		for off := int64(0); off < f.Size; off += size {
			s := whole
			s.Offset, s.Length = off, min(size, f.Size-off)
			// A last piece of a tenth is not worth a split of its own.
			if rest := f.Size - off - s.Length; rest > 0 && rest < size/10 {
				s.Length += rest
				off = f.Size
			}
			splits = append(splits, s)
		}
	}
	return splits
}

// pattern tells whether uri names files by a pattern.
func pattern(uri string) bool { return strings.ContainsAny(path.Base(uri), "*?[") }

// watched is what must be there when files are yet to come: the directory.
func watched(uri string) string {
	if !pattern(uri) {
		return uri
	}
	return uri[:strings.LastIndexByte(uri, '/')+1] + "."
}

// Exists tells with one sentence when uri names nothing to read.
func Exists(ctx context.Context, reg *fs.Registry, uri string) error {
	_, _, err := expand(ctx, reg, uri)
	return err
}

func expand(ctx context.Context, reg *fs.Registry, uri string) (fs.FileSystem, []fs.FileInfo, error) {
	store, p, err := reg.Get(uri)
	if err != nil {
		return nil, nil, err
	}
	dir, base := path.Split(p)
	if !strings.ContainsAny(base, "*?[") {
		st, err := store.Stat(ctx, p)
		if err != nil {
			return nil, nil, fmt.Errorf("input %s: %w", uri, err)
		}
		if !st.IsDir {
			return store, []fs.FileInfo{st}, nil
		}
		dir, base = p, "*"
	}
	all, err := store.List(ctx, path.Clean(dir))
	if err != nil {
		return nil, nil, fmt.Errorf("input %s: %w", uri, err)
	}
	var files []fs.FileInfo
	for _, f := range all {
		name := path.Base(f.Path)
		match, err := path.Match(base, name)
		if err != nil {
			return nil, nil, fmt.Errorf("input %s: pattern %q: %w", uri, base, err)
		}
		if match && !f.IsDir && name[0] != '_' && name[0] != '.' {
			files = append(files, f)
		}
	}
	if len(files) == 0 && base != "*" {
		return nil, nil, fmt.Errorf("input %s: no file matches: %w", uri, fs.ErrNotExist)
	}
	return store, files, nil
}
