package hdfs

import (
	"context"
	"fmt"
	iofs "io/fs"
	"math"
	"path"
	"sort"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/internal/fs"
	hdfspb "github.com/weft-project/weft/internal/hadoop/proto/hdfs"
)

const (
	defaultFileMode = 0o644
	defaultDirMode  = 0o755
	// Bits that old NameNodes add to the permissions instead of setting flags.
	permEncrypted    = 1 << 13
	permErasureCoded = 1 << 14
)

// clean checks a path and gives its one spelling.
func (f *FS) clean(op, p string) (string, error) {
	if !strings.HasPrefix(p, "/") {
		return "", fmt.Errorf("%s %q on %s: expected an absolute path", op, p, f.uri)
	}
	return path.Clean(p), nil
}

// status asks for one path; nil without an error means that there is none.
func (f *FS) status(ctx context.Context, p string) (*hdfspb.HdfsFileStatus, error) {
	var resp hdfspb.GetFileInfoResponse
	if err := f.invoke(ctx, "getFileInfo", &hdfspb.GetFileInfoRequest{Src: &p}, &resp); err != nil {
		return nil, err
	}
	return resp.GetFs(), nil
}

// Stat is FileSystem's.
func (f *FS) Stat(ctx context.Context, p string) (fs.FileInfo, error) {
	p, err := f.clean("stat", p)
	if err != nil {
		return fs.FileInfo{}, err
	}
	st, err := f.status(ctx, p)
	if err != nil {
		return fs.FileInfo{}, f.fail("stat", p, err)
	}
	if st == nil {
		return fs.FileInfo{}, f.sentinel("stat", p, fs.ErrNotExist)
	}
	return info(p, st), nil
}

func info(p string, st *hdfspb.HdfsFileStatus) fs.FileInfo {
	fi := fs.FileInfo{Path: p, ModTime: time.UnixMilli(int64(st.GetModificationTime())), IsDir: st.GetFileType() == hdfspb.HdfsFileStatus_IS_DIR,
		Mode: iofs.FileMode(st.GetPermission().GetPerm()) & iofs.ModePerm, Owner: st.GetOwner(), Group: st.GetGroup()}
	if !fi.IsDir {
		fi.Size, fi.BlockSize = int64(st.GetLength()), int64(st.GetBlocksize())
	}
	return fi
}

// unsupported gives the reason why a file (or files made in a directory) can not be read or written here.
func unsupported(st *hdfspb.HdfsFileStatus) error {
	bits := st.GetPermission().GetPerm()
	flags := hdfspb.HdfsFileStatus_Flags(st.GetFlags())
	if st.FileEncryptionInfo != nil || flags&hdfspb.HdfsFileStatus_HAS_CRYPT != 0 || bits&permEncrypted != 0 {
		return fs.ErrEncrypted
	}
	if ec := st.GetEcPolicy(); ec != nil {
		if ec.GetId() != 0 {
			return fs.ErrErasureCoded
		}
		return nil
	}
	if flags&hdfspb.HdfsFileStatus_HAS_EC != 0 || bits&permErasureCoded != 0 {
		return fs.ErrErasureCoded
	}
	return nil
}

// List is FileSystem's.
func (f *FS) List(ctx context.Context, p string) ([]fs.FileInfo, error) {
	p, err := f.clean("list", p)
	if err != nil {
		return nil, err
	}
	var out []fs.FileInfo
	after := []byte{}
	for {
		var resp hdfspb.GetListingResponse
		err := f.invoke(ctx, "getListing", &hdfspb.GetListingRequest{Src: &p, StartAfter: after, NeedLocation: proto.Bool(false)}, &resp)
		if err != nil {
			return nil, f.fail("list", p, err)
		}
		if resp.DirList == nil {
			return nil, f.sentinel("list", p, fs.ErrNotExist)
		}
		page := resp.GetDirList().GetPartialListing()
		for _, st := range page {
			name := p
			if len(st.GetPath()) > 0 {
				name = path.Join(p, string(st.GetPath()))
			}
			out = append(out, info(name, st))
		}
		if resp.GetDirList().GetRemainingEntries() == 0 || len(page) == 0 {
			break
		}
		after = page[len(page)-1].GetPath()
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out, nil
}

// MkdirAll is FileSystem's.
func (f *FS) MkdirAll(ctx context.Context, p string, mode iofs.FileMode) error {
	p, err := f.clean("mkdir", p)
	if err != nil {
		return err
	}
	return f.fail("mkdir", p, f.mkdirs(ctx, p, mode))
}

func (f *FS) mkdirs(ctx context.Context, p string, mode iofs.FileMode) error {
	if mode == 0 {
		mode = defaultDirMode
	}
	var resp hdfspb.MkdirsResponse
	req := &hdfspb.MkdirsRequest{Src: &p, Masked: permission(mode), CreateParent: proto.Bool(true)}
	if err := f.invoke(ctx, "mkdirs", req, &resp); err != nil {
		return err
	}
	if !resp.GetResult() {
		return fmt.Errorf("the NameNode did not make the directory")
	}
	return nil
}

func permission(mode iofs.FileMode) *hdfspb.FsPermission {
	return &hdfspb.FsPermission{Perm: proto.Uint32(uint32(mode.Perm()))}
}

// Rename is FileSystem's. Without overwrite the NameNode refuses an existing target in the same step; a target that is a
// directory is refused as well: the old rename call, which would move into it, is not used.
func (f *FS) Rename(ctx context.Context, old, new string, overwrite bool) error {
	old, err := f.clean("rename", old)
	if err != nil {
		return err
	}
	if new, err = f.clean("rename to", new); err != nil {
		return err
	}
	op := "rename " + f.uri + old + " to"
	if old == new && overwrite {
		// The NameNode refuses this even with the overwrite flag.
		if _, err := f.Stat(ctx, old); err != nil {
			return err
		}
		return nil
	}
	req := &hdfspb.Rename2Request{Src: &old, Dst: &new, OverwriteDest: &overwrite}
	return f.fail(op, new, f.invoke(ctx, "rename2", req, &hdfspb.Rename2Response{}))
}

// Delete is FileSystem's.
func (f *FS) Delete(ctx context.Context, p string, recursive bool) error {
	p, err := f.clean("delete", p)
	if err != nil {
		return err
	}
	if p == "/" {
		return fmt.Errorf("delete %s/: the root directory is not deleted", f.uri)
	}
	err = f.invoke(ctx, "delete", &hdfspb.DeleteRequest{Src: &p, Recursive: &recursive}, &hdfspb.DeleteResponse{})
	return f.fail("delete", p, err)
}

// Chmod is FileSystem's.
func (f *FS) Chmod(ctx context.Context, p string, mode iofs.FileMode) error {
	p, err := f.clean("chmod", p)
	if err != nil {
		return err
	}
	req := &hdfspb.SetPermissionRequest{Src: &p, Permission: permission(mode)}
	return f.fail("chmod", p, f.invoke(ctx, "setPermission", req, &hdfspb.SetPermissionResponse{}))
}

// SetTimes is FileSystem's. The access time stays as it is.
func (f *FS) SetTimes(ctx context.Context, p string, mtime time.Time) error {
	p, err := f.clean("set times of", p)
	if err != nil {
		return err
	}
	req := &hdfspb.SetTimesRequest{Src: &p, Mtime: proto.Uint64(uint64(mtime.UnixMilli())), Atime: proto.Uint64(math.MaxUint64)}
	return f.fail("set times of", p, f.invoke(ctx, "setTimes", req, &hdfspb.SetTimesResponse{}))
}
