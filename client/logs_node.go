package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weft-project/weft/yarnrpc"
)

// nodeLogs reads the logs of a live container from its NodeManager's web server.
type nodeLogs struct {
	container string
	base      string
	user      string
	// authorize makes the Authorization for a host; nil where none is asked for.
	authorize func(ctx context.Context, host string) (string, error)
	http      *http.Client
}

// nodeLogsTimeout bounds the wait for the begin of an answer; a file may take as long as it is large.
const nodeLogsTimeout = 20 * time.Second

// maxLogHead bounds the lines before a log.
const maxLogHead = 16

// maxLogList bounds the list of files.
const maxLogList = 4 << 20

func (c *Client) newNodeLogs(r yarnrpc.ContainerReport, user string, https bool) *nodeLogs {
	base := r.HTTPAddress
	if !strings.Contains(base, "://") {
		scheme := "http://"
		if https {
			scheme = "https://"
		}
		base = scheme + base
	}
	return &nodeLogs{container: r.ID.String(), base: strings.TrimSuffix(base, "/") + "/ws/v1/node", user: user, authorize: c.authorization(),
		http: &http.Client{Transport: &http.Transport{ResponseHeaderTimeout: nodeLogsTimeout}}}
}

// logFile is one file of a container.
type logFile struct{ Name, Size string }

// list names the files. The document's shape differs between the lines of Hadoop: one object or several, under two names.
func (n *nodeLogs) list(ctx context.Context) ([]logFile, error) {
	body, err := n.get(ctx, "/containers/"+url.PathEscape(n.container)+"/logs", "application/json")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxLogList))
	if err != nil {
		return nil, fmt.Errorf("container %s: the list of its logs from %s: %w", n.container, n.base, err)
	}
	var document any
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("container %s: what %s lists is not what a NodeManager says: %w", n.container, n.base, err)
	}
	var files []logFile
	collectLogs(document, &files)
	slices.SortFunc(files, func(a, b logFile) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(files, func(a, b logFile) bool { return a.Name == b.Name }), nil
}

// collectLogs takes every object with a fileName, wherever it stands.
func collectLogs(v any, to *[]logFile) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			collectLogs(e, to)
		}
	case map[string]any:
		if name, ok := v["fileName"].(string); ok {
			*to = append(*to, logFile{name, strings.TrimSpace(fmt.Sprint(v["fileSize"]))})
			return
		}
		for _, e := range v {
			collectLogs(e, to)
		}
	}
}

// copy writes a file as it is now.
func (n *nodeLogs) copy(ctx context.Context, name string, to io.Writer) error {
	body, err := n.get(ctx, "/containerlogs/"+url.PathEscape(n.container)+"/"+url.PathEscape(name), "text/plain")
	if err != nil {
		return err
	}
	defer body.Close()
	if err := copyLog(to, body); err != nil {
		return fmt.Errorf("container %s: %s from %s: %w", n.container, name, n.base, err)
	}
	return nil
}

// copyLog copies a log without what Hadoop 3 writes around it: some lines with its name and length before it, and its end after it.
func copyLog(to io.Writer, from io.Reader) error {
	in := bufio.NewReader(from)
	var head strings.Builder
	length := int64(-1)
	for range maxLogHead {
		line, err := in.ReadString('\n')
		head.WriteString(line)
		if text, ok := strings.CutPrefix(line, "LogLength:"); ok {
			if length, err = strconv.ParseInt(strings.TrimSpace(text), 10, 64); err != nil {
				length = -1
			}
		}
		if line == "LogContents:\n" && length >= 0 {
			_, err = io.CopyN(to, in, length)
			if errors.Is(err, io.EOF) {
				err = nil // it was cut meanwhile
			}
			return err
		}
		if !strings.HasPrefix(head.String(), "Container: ") || err != nil {
			break
		}
	}
	// As it is.
	if _, err := io.WriteString(to, head.String()); err != nil {
		return err
	}
	_, err := io.Copy(to, in)
	return err
}

func (n *nodeLogs) get(ctx context.Context, path, accept string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.base+path+"?user.name="+url.QueryEscape(n.user), nil)
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", n.container, err)
	}
	request.Header.Set("Accept", accept)
	if n.authorize != nil {
		proof, err := n.authorize(ctx, request.URL.Hostname())
		if err != nil {
			return nil, fmt.Errorf("container %s: ticket for its NodeManager's web server: %w", n.container, err)
		}
		request.Header.Set("Authorization", proof)
	}
	response, err := n.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("container %s: its NodeManager does not answer: %w", n.container, err)
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("container %s: its NodeManager at %s answers %s", n.container, n.base, response.Status)
	}
	return response.Body, nil
}
