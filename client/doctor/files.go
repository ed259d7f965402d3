package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/hdfs"
	"github.com/weft-project/weft/internal/hadoop/rpc"
)

// nameNode is what HDFS can tell beyond a file system.
type nameNode interface {
	Groups(ctx context.Context, user string) ([]string, error)
	Quota(ctx context.Context, path string) (hdfs.Quota, error)
}

// homeDirectory looks whether an application's files could be put where they would be.
func (e *examination) homeDirectory(ctx context.Context) bool {
	const check = "home directory"
	files, err := e.OpenFiles(e.hadoop, e.who, e.Log)
	if err != nil {
		e.wrong(CauseSettings, check, "", "%v", err)
		return true
	}
	defer func() {
		if err := files.Close(); err != nil {
			e.Log.Debug("close file systems", "error", err)
		}
	}()
	if scheme := config.Get(e.Config, config.DefaultScheme); scheme != "" {
		files.SetDefault(scheme)
	}
	dir := config.Get(e.Config, config.StagingDirectory)
	if dir == "" {
		dir = "."
	}
	store, home, err := files.Get(dir)
	if err != nil {
		e.wrong(CauseSettings, check, "", "%v", err)
		return true
	}
	if _, ok := store.(nameNode); ok && len(e.nameNodes()) > 0 && !e.spoken["NameNode"] {
		e.warn(check, "", "not looked at, nor quota and groups: there is no NameNode to ask")
		return true
	}
	asking, cancel := e.asking(ctx)
	defer cancel()
	where := store.URI() + home
	st, err := store.Stat(asking, home)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.wrong(CauseCluster, check, fmt.Sprintf("an administrator makes it: hdfs dfs -mkdir -p %s && hdfs dfs -chown %s %s", home, e.user, home), "%s does not exist", where)
		return true
	case err != nil:
		e.unwritten(check, err)
		return true
	case !st.IsDir:
		e.wrong(CauseCluster, check, "move it away", "%s is a file", where)
		return true
	}
	written := e.write(asking, store, home)
	if nn, ok := store.(nameNode); ok {
		e.quota(asking, nn, home)
		if groups, err := nn.Groups(asking, e.user); err == nil {
			e.ok("groups", "the NameNode has user %s in: %s", e.user, cmp.Or(strings.Join(groups, ", "), "no group"))
		}
	}
	if written {
		e.ok(check, "%s exists (owner %s, mode %o); files can be written and removed", where, st.Owner, st.Mode.Perm())
	}
	return true
}

// write writes a small file, looks at its time and removes it.
func (e *examination) write(ctx context.Context, store fs.FileSystem, home string) bool {
	const check = "home directory"
	probe := path.Join(home, ".weft-doctor-"+strings.ToLower(rand.Text()))
	began := e.Now()
	err := put(ctx, store, probe)
	if err != nil {
		e.unwritten(check, err)
		return false
	}
	got := e.Now()
	st, err := store.Stat(ctx, probe)
	if _, ok := store.(nameNode); ok && err == nil {
		e.clock("NameNode", skew(st.ModTime, began, got, time.Millisecond))
	}
	if err := errors.Join(err, store.Delete(ctx, probe, false)); err != nil {
		e.warn(check, "remove it by hand", "%s%s was written, but: %v", store.URI(), probe, err)
		return false
	}
	return true
}

func put(ctx context.Context, store fs.FileSystem, name string) error {
	w, err := store.Create(ctx, name, fs.CreateOptions{Mode: 0o600})
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte("weft doctor\n")); err != nil {
		return errors.Join(err, w.Abort())
	}
	if err := w.Close(); err != nil {
		return errors.Join(err, w.Abort())
	}
	return nil
}

// unwritten says why HDFS did not do what it was asked.
func (e *examination) unwritten(check string, err error) {
	switch {
	case errors.Is(err, fs.ErrSafeMode):
		e.wrong(CauseUnreachable, check, "wait until it has left it, or look why it does not: hdfs dfsadmin -safemode get", "%v", err)
	case errors.Is(err, rpc.ErrConnect):
		e.wrong(CauseUnreachable, check, "start it, then look again", "no NameNode answers")
	case errors.Is(err, fs.ErrPermission):
		e.wrong(CauseCluster, check, "an administrator gives it to user "+e.user+" (hdfs dfs -chown), or set yarn.staging-directory", "%v", err)
	case errors.Is(err, fs.ErrNoSpace):
		e.wrong(CauseCluster, check, "make room in HDFS", "%v", err)
	case strings.Contains(err.Error(), "QuotaExceeded"):
		e.wrong(CauseCluster, check, "remove files, or ask an administrator for more (hdfs dfsadmin -setQuota, -setSpaceQuota)", "%v", err)
	default:
		e.wrong(CauseUnreachable, check, "", "%v", err)
	}
}

// quota looks how much more the home directory may hold. HDFS counts whole blocks of all replicas while a file is written.
func (e *examination) quota(ctx context.Context, nn nameNode, home string) {
	const check = "quota"
	q, err := nn.Quota(ctx, home)
	if err != nil {
		e.warn(check, "", "the quota of %s is not known: %v", home, err)
		return
	}
	if q.SpaceLimit < 0 && q.NameLimit < 0 {
		e.ok(check, "%s has none", home)
		return
	}
	block, err1 := e.hadoop.GetSize("dfs.blocksize", 128<<20)
	replicas, err2 := e.hadoop.GetInt("dfs.replication", 3)
	if err := errors.Join(err1, err2); err != nil {
		e.wrong(CauseSettings, check, "", "%v", err)
		return
	}
	const mend = "remove files, or ask an administrator for more (hdfs dfsadmin -setQuota, -setSpaceQuota)"
	need := block * int64(replicas)
	switch left := q.SpaceLimit - q.Space; {
	case q.SpaceLimit >= 0 && left < need:
		e.wrong(CauseCluster, check, mend, "%s may take %d MiB more, but one block with its %d replicas counts as %d MiB while it is written", home, max(left, 0)>>20, replicas, need>>20)
	case q.NameLimit >= 0 && q.NameLimit-q.Names < 100:
		e.warn(check, mend, "%s may hold %d more files and directories only", home, max(q.NameLimit-q.Names, 0))
	default:
		e.ok(check, "%s holds %d files and directories (limit %s) and %d MiB with all replicas (limit %s)", home, q.Names, limit(q.NameLimit, ""), q.Space>>20, limit(q.SpaceLimit>>20, " MiB"))
	}
}

func limit(n int64, unit string) string {
	if n < 0 {
		return "none"
	}
	return fmt.Sprint(n) + unit
}
