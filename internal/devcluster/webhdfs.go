package devcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
)

// HDFS through WebHDFS, as the cluster's superuser: for preparing input and looking at output independently of the client
// under test, and without a JVM's start.

// Put copies a local file to HDFS, replacing what is there.
func (c *Cluster) Put(ctx context.Context, local, remote string) error {
	f, err := os.Open(local)
	if err != nil {
		return err
	}
	defer f.Close()
	return c.WriteFile(ctx, remote, f)
}

// WriteFile writes a file on HDFS, replacing what is there; missing parents are made.
func (c *Cluster) WriteFile(ctx context.Context, remote string, content io.Reader) error {
	// First the NameNode, without content, which names a DataNode; then that one.
	resp, err := c.webHDFS(ctx, http.MethodPut, remote, url.Values{"op": {"CREATE"}, "overwrite": {"true"}, "noredirect": {"true"}})
	if err != nil {
		return err
	}
	var where struct{ Location string }
	err = json.NewDecoder(resp.Body).Decode(&where)
	resp.Body.Close()
	if err != nil {
		return fmt.Errorf("create hdfs:%s: %w", remote, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, where.Location, content)
	if err != nil {
		return err
	}
	web, err := c.httpAs(0) // no time limit but the context's: the file may be large
	if err != nil {
		return err
	}
	resp, err = web.Do(req)
	if err != nil {
		return fmt.Errorf("create hdfs:%s: %w", remote, err)
	}
	return hdfsAnswer(resp, "create", remote)
}

// Open reads a file on HDFS; the caller closes it.
func (c *Cluster) Open(ctx context.Context, remote string) (io.ReadCloser, error) {
	resp, err := c.webHDFS(ctx, http.MethodGet, remote, url.Values{"op": {"OPEN"}})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// ReadFile reads a whole file on HDFS.
func (c *Cluster) ReadFile(ctx context.Context, remote string) ([]byte, error) {
	r, err := c.Open(ctx, remote)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// FileStatus is a file or directory on HDFS.
type FileStatus struct {
	Path       string `json:"-"`
	Suffix     string `json:"pathSuffix"`
	Type       string `json:"type"` // FILE, DIRECTORY, SYMLINK
	Length     int64  `json:"length"`
	Owner      string `json:"owner"`
	Group      string `json:"group"`
	Permission string `json:"permission"`       // octal
	Modified   int64  `json:"modificationTime"` // ms since 1970
	BlockSize  int64  `json:"blockSize"`
}

// IsDir reports whether it is a directory.
func (s FileStatus) IsDir() bool { return s.Type == "DIRECTORY" }

// List returns the entries of a directory, or the file itself; fs.ErrNotExist when there is none.
func (c *Cluster) List(ctx context.Context, remote string) ([]FileStatus, error) {
	resp, err := c.webHDFS(ctx, http.MethodGet, remote, url.Values{"op": {"LISTSTATUS"}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var doc struct {
		FileStatuses struct{ FileStatus []FileStatus }
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		return nil, fmt.Errorf("list hdfs:%s: %w", remote, err)
	}
	list := doc.FileStatuses.FileStatus
	for i := range list {
		list[i].Path = path.Join(remote, list[i].Suffix)
	}
	return list, nil
}

// Walk returns all files and directories below a directory, itself not included.
func (c *Cluster) Walk(ctx context.Context, remote string) ([]FileStatus, error) {
	list, err := c.List(ctx, remote)
	if err != nil {
		return nil, err
	}
	var all []FileStatus
	for _, s := range list {
		all = append(all, s)
		if !s.IsDir() {
			continue
		}
		below, err := c.Walk(ctx, s.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			return nil, err
		}
		all = append(all, below...)
	}
	return all, nil
}

// Mkdir makes a directory and its parents with the given owner and permission (octal); the owner "" is the superuser.
func (c *Cluster) Mkdir(ctx context.Context, remote, permission, owner string) error {
	steps := []url.Values{{"op": {"MKDIRS"}, "permission": {permission}}, {"op": {"SETPERMISSION"}, "permission": {permission}}}
	if owner != "" {
		steps = append(steps, url.Values{"op": {"SETOWNER"}, "owner": {owner}, "group": {owner}})
	}
	for _, q := range steps {
		resp, err := c.webHDFS(ctx, http.MethodPut, remote, q)
		if err != nil {
			return err
		}
		resp.Body.Close()
	}
	return nil
}

// Remove deletes a file or a directory with all below it; none there is no error.
func (c *Cluster) Remove(ctx context.Context, remote string) error {
	resp, err := c.webHDFS(ctx, http.MethodDelete, remote, url.Values{"op": {"DELETE"}, "recursive": {"true"}})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// SafeMode enters or leaves the NameNode's safe mode.
func (c *Cluster) SafeMode(ctx context.Context, on bool) error {
	arg := "leave"
	if on {
		arg = "enter"
	}
	_, err := c.Java(ctx, "org.apache.hadoop.hdfs.tools.DFSAdmin", "-safemode", arg)
	return err
}

// prepareHDFS makes the directories that an administrator would.
func (c *Cluster) prepareHDFS(ctx context.Context) error {
	type directory struct{ path, permission, owner string }
	list := []directory{{"/tmp", "1777", ""}, {"/tmp/logs", "1777", ""}, {"/user", "755", ""}}
	users := []string{c.state.User}
	if c.state.Kerberos != nil {
		users = []string{superuser, Owner, Other, Gateway, Guest}
	}
	for _, u := range users {
		owner := u
		if c.state.Kerberos == nil {
			owner = ""
		}
		list = append(list, directory{"/user/" + u, "700", owner})
	}
	for _, d := range list {
		if err := c.Mkdir(ctx, d.path, d.permission, d.owner); err != nil {
			return err
		}
	}
	return nil
}

// webHDFS makes one request; an answer other than success is an error with Hadoop's own message.
func (c *Cluster) webHDFS(ctx context.Context, method, remote string, q url.Values) (*http.Response, error) {
	if !strings.HasPrefix(remote, "/") {
		return nil, fmt.Errorf("HDFS path %q: expected an absolute path", remote)
	}
	if c.state.Kerberos == nil {
		q.Set("user.name", c.state.User)
	}
	u := url.URL{Scheme: "http", Host: c.NameNodeWeb(), Path: "/webhdfs/v1" + remote, RawQuery: q.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	web, err := c.httpAs(0)
	if err != nil {
		return nil, err
	}
	resp, err := web.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, hdfsAnswer(resp, q.Get("op"), remote)
	}
	return resp, nil
}

// hdfsAnswer closes an answer and turns a remote exception into an error.
func hdfsAnswer(resp *http.Response, op, remote string) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("%s hdfs:%s: %w", op, remote, err)
	}
	if resp.StatusCode/100 == 2 {
		return nil
	}
	var doc struct {
		RemoteException struct{ Exception, Message string }
	}
	_ = json.Unmarshal(body, &doc) // a page instead of a document has no exception in it
	if resp.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%s hdfs:%s: %w", op, remote, fs.ErrNotExist)
	}
	return fmt.Errorf("%s hdfs:%s: %s: %s: %s", op, remote, resp.Status, doc.RemoteException.Exception, doc.RemoteException.Message)
}
