package lint

import (
	"sort"
	"strconv"
	"strings"
)

// direction says that some packages do not import others.
type direction struct {
	from   []string // folders, with all below
	except []string // folders below from that may
	never  []string // folders of this module, or other modules' paths
	// direct looks at the import statements only; without it nothing may come by way of others either.
	direct bool
	advice string
}

// notAuthors are the folders that authors do not import: all but stream, streamtest, connector and themselves.
var notAuthors = []string{"am", "checkpoint", "client", "codec", "config", "eventtime", "graph", "ha", "hdfsstate", "id", "internal", "jobmanager", "metrics",
	"network", "operator", "rest", "rpc", "security", "standalone", "state", "taskexec", "web", "yarnrpc"}

var directions = []direction{
	{from: []string{"stream"}, never: []string{"am", "taskexec", "jobmanager", "client"}, direct: true,
		advice: "use the hook in internal/role instead, because authors import stream and must not depend on a process"},
	{from: []string{"streamtest"}, never: []string{"am", "jobmanager", "client", "yarnrpc"},
		advice: "use the worker's runtime instead, because a test of a job needs no cluster"},
	{from: []string{"examples"}, never: notAuthors, direct: true,
		advice: "use stream, streamtest or a connector instead, because authors have nothing else"},
	{from: []string{"internal/launch", "taskexec"}, never: []string{"stream"},
		advice: "use operator instead, because stream is the authors' side and operator the contract with it"},
	{from: []string{"operator", "graph", "network", "codec", "eventtime"}, never: []string{"stream", "am", "jobmanager", "client"},
		advice: "let the upper package pass in what is needed instead, because these are its foundations"},
	{from: []string{"jobmanager", "am"}, never: []string{"operator", "state", "network", "stream"},
		advice: "use the messages in rpc instead, because the JobManager's process runs no author's code"},
	{from: []string{"jobmanager"}, never: []string{"am", "yarnrpc"},
		advice: "use jobmanager.ResourceDriver instead, because the JobManager knows no YARN"},
	{from: []string{"taskexec"}, never: []string{"yarnrpc", "rest", "am", "github.com/go-zookeeper/zk"},
		advice: "use the leader finder that is passed in instead, because a TaskManager runs without YARN too"},
	{from: []string{"id", "rpc"}, never: []string{"internal", "am", "client", "jobmanager", "taskexec", "stream", "operator", "network", "rest"},
		advice: "use plain types instead, because all packages import these"},
}

// Imports finds imports that run against the directions between packages.
func Imports(t *Tree) []Finding {
	direct := importGraph(t)
	var out []Finding
	for _, d := range directions {
		for dir := range direct {
			if !within(dir, d.from...) || within(dir, d.except...) {
				continue
			}
			reach := map[string]string{} // package → how it is reached
			for p, f := range direct[dir] {
				reach[p] = f.Path + " imports " + p
				if !d.direct {
					spread(direct, p, reach)
				}
			}
			for _, p := range sorted(reach) {
				if within(p, d.never...) && !within(dir, p) {
					out = append(out, Finding{dir, reach[p], d.advice})
				}
			}
		}
	}
	return append(out, testImports(t)...)
}

// spread follows the imports of p.
func spread(direct map[string]map[string]*File, p string, reach map[string]string) {
	for q := range direct[p] {
		if _, seen := reach[q]; !seen {
			reach[q] = reach[p] + ", which imports " + q
			spread(direct, q, reach)
		}
	}
}

// importGraph maps folders to what their files, tests left out, import: folders of this module or other import paths.
func importGraph(t *Tree) map[string]map[string]*File {
	graph := map[string]map[string]*File{}
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		if graph[f.Dir()] == nil {
			graph[f.Dir()] = map[string]*File{}
		}
		for _, p := range imports(f) {
			graph[f.Dir()][p] = f
		}
	}
	return graph
}

func imports(f *File) []string {
	var out []string
	for _, s := range f.AST.Imports {
		if p, err := strconv.Unquote(s.Path.Value); err == nil {
			out = append(out, strings.TrimPrefix(p, Module+"/"))
		}
	}
	return out
}

// testImports finds cgo, and tests that need real services without saying so.
func testImports(t *Tree) []Finding {
	var out []Finding
	for _, f := range t.written() {
		for _, p := range imports(f) {
			switch {
			case p == "C":
				out = append(out, Finding{f.Path, "import \"C\"", "use Go instead, because one static binary runs on every node"})
			case p == "internal/devcluster" && f.Test && !strings.Contains(f.Tags, "realhadoop"):
				out = append(out, Finding{f.Path, "a test on a real Hadoop without its build tag",
					"use //go:build realhadoop in a file of its own instead, because go test ./... is quick and needs nothing"})
			case p == "internal/devcluster" && !f.Test && !f.Main() && !within(f.Dir(), "internal/zookeepertest", "internal/kafkatest"):
				out = append(out, Finding{f.Path, "imports internal/devcluster",
					"use it in tests and scripts only instead, because it is no part of the product"})
			}
		}
	}
	return out
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
