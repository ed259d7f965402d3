package rest

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/rest/restpb"
	"github.com/weft-project/weft/rpc/planpb"
)

func TestDouble(t *testing.T) {
	for value, want := range map[Double]string{0: "0.0", 945: "945.0", -2: "-2.0", 0.2747140082020289: "0.2747140082020289", 1e300: "1e+300", Double(math.Inf(1)): `"Infinity"`, Double(math.Inf(-1)): `"-Infinity"`} {
		b, err := json.Marshal(value)
		if err != nil || string(b) != want {
			t.Errorf("%v: %s, %v", value, b, err)
		}
		var back Double
		if err := json.Unmarshal(b, &back); err != nil || back != value {
			t.Errorf("%s: %v, %v", b, back, err)
		}
	}
	if b, _ := json.Marshal(Double(math.NaN())); string(b) != `"NaN"` {
		t.Errorf("NaN: %s", b)
	}
}

// TestStatistics uses values seen in a real answer of Flink.
func TestStatistics(t *testing.T) {
	got := Summarize([]int64{1652, 600})
	if want := (Statistics{P25: 600, Min: 600, Avg: 1126, Median: 1126, Max: 1652, Sum: 2252, P95: 1652, P75: 1652}); got != want {
		t.Errorf("%+v", got)
	}
	got = Summarize([]int64{35311, 35244})
	if got.Avg != 35277 || got.Median != 35277 {
		t.Errorf("%+v", got)
	}
	if got := Summarize(nil); got != (Statistics{}) {
		t.Errorf("%+v", got)
	}
	if got := Summarize([]int64{1, 2, 3, 4}); got.P25 != 1 || got.Median != 2 || got.P75 != 3 || got.P95 != 4 {
		t.Errorf("%+v", got)
	}
}

func TestStatusDurations(t *testing.T) {
	at := NewTaskTimestamps()
	at["CREATED"], at["SCHEDULED"], at["DEPLOYING"], at["INITIALIZING"], at["RUNNING"] = 1027, 1057, 1167, 1309, 1325
	got := StatusDurations(at, 1400)
	for state, want := range map[string]int64{"CREATED": 30, "SCHEDULED": 110, "DEPLOYING": 142, "INITIALIZING": 16, "RUNNING": 75} {
		if got[state] != want {
			t.Errorf("%s: %d, expected %d", state, got[state], want)
		}
	}
	at["FINISHED"] = 1350
	got = StatusDurations(at, 1400)
	if _, ok := got["FINISHED"]; ok || got["RUNNING"] != 25 {
		t.Errorf("%v", got)
	}
}

func TestAggregateState(t *testing.T) {
	for want, counts := range map[string]map[string]int{
		"FAILED": {"FAILED": 1, "RUNNING": 3}, "CANCELING": {"CANCELING": 1, "CANCELED": 1}, "RUNNING": {"RUNNING": 1, "FINISHED": 1, "CREATED": 1},
		"FINISHED": {"FINISHED": 2}, "CREATED": {"SCHEDULED": 1, "DEPLOYING": 1}, "INITIALIZING": {"INITIALIZING": 1, "RUNNING": 1},
	} {
		if got := AggregateState(counts); got != want {
			t.Errorf("%v: %s, expected %s", counts, got, want)
		}
	}
	if got := AggregateState(map[string]int{"FINISHED": 1, "CREATED": 1}); got != "RUNNING" {
		t.Errorf("partly finished: %s", got)
	}
}

func TestExecutionResult(t *testing.T) {
	d := &JobDetails{ID: "x", State: "FINISHED", Duration: 7, Accumulators: []Accumulator{{Name: "n", Value: "3"}}}
	got := executionResult(d, &JobExceptions{})
	if got.Status.ID != "COMPLETED" || got.Result.ApplicationStatus != "SUCCEEDED" || got.Result.Accumulators["n"] != "3" || got.Result.Failure != nil {
		t.Errorf("%+v", got.Result)
	}
	d.State = "CANCELED"
	if got := executionResult(d, &JobExceptions{}); got.Result.ApplicationStatus != "CANCELED" {
		t.Errorf("%+v", got.Result)
	}
	d.State = "RESTARTING"
	if got := executionResult(d, &JobExceptions{}); got.Result != nil || got.Status.ID != "IN_PROGRESS" {
		t.Errorf("%+v", got)
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"a.password", "x", Masked}, {"A.PassWord", "x", Masked}, {"fs.s3a.access.key", "x", Masked}, {"containerized.master.env.AWS_SECRET_ACCESS_KEY", "x", Masked},
		{"security.kerberos.login.keytab", "/k", "/k"}, {"token.enabled", "false", "false"}, {"token", "", ""},
		{"opts", "-Da=b --password hidden -v", "-Da=b --password ****** -v"}, {"opts", `-Dapi.key="a b" -Dapi_key='c d' next`, `-Dapi.key=****** -Dapi_key=****** next`},
		{"opts", "my.token: abc, other: x", "my.token: ******, other: x"}, {"uri", "hdfs://nn:8020/dir", "hdfs://nn:8020/dir"}, {"uri", "jdbc://u:p@h/d", "jdbc://u:******@h/d"},
		{"high-availability.storageDir", "hdfs:///a", "hdfs:///a"},
	} {
		if got := MaskValue(c.key, c.value); got != c.want {
			t.Errorf("%s = %s: %s, expected %s", c.key, c.value, got, c.want)
		}
	}
}

// TestProxyAddressesAgain: an address that moved is found after a while, one that cannot be resolved any more is not believed.
func TestProxyAddressesAgain(t *testing.T) {
	address := netip.MustParseAddr("10.0.0.1")
	moved := netip.MustParseAddr("10.0.0.2")
	asked := 0
	p := newProxyHosts([]string{" rm:8088 ", "[::1]:8088", "::2"}, func(_ context.Context, host string) ([]netip.Addr, error) {
		asked++
		if host != "rm" {
			t.Errorf("asked for %q", host)
		}
		return []netip.Addr{address}, nil
	}, slog.New(slog.DiscardHandler))
	now := time.Unix(1000, 0)
	p.now = func() time.Time { return now }
	ctx := context.Background()
	if !p.contains(ctx, address) || p.contains(ctx, moved) || !p.contains(ctx, netip.MustParseAddr("::1")) || !p.contains(ctx, netip.MustParseAddr("::2")) || asked != 1 {
		t.Fatalf("first look, asked %d times", asked)
	}
	address = moved
	now = now.Add(proxyRetry + time.Second)
	if !p.contains(ctx, moved) || p.contains(ctx, netip.MustParseAddr("10.0.0.1")) || asked != 2 {
		t.Errorf("after a move, asked %d times", asked)
	}
	now = now.Add(proxyLifetime + time.Second)
	if !p.contains(ctx, moved) || asked != 3 {
		t.Errorf("after the lifetime, asked %d times", asked)
	}
	if p.contains(ctx, netip.Addr{}) || (*proxyHosts)(nil).contains(ctx, moved) {
		t.Error("nobody is a proxy")
	}
}

// TestDocs keeps docs/rest.md's table equal to the routes. WEFT_UPDATE=1 rewrites it.
func TestDocs(t *testing.T) {
	const file, begin, end = "../docs/rest.md", "<!-- routes: generated, see rest.TestDocs -->\n", "<!-- end of routes -->\n"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	from, to := strings.Index(text, begin), strings.Index(text, end)
	if from < 0 || to < from {
		t.Fatalf("%s has no place for the table", file)
	}
	from += len(begin)
	want := RoutesTable()
	if text[from:to] == want {
		return
	}
	if os.Getenv("WEFT_UPDATE") == "" {
		t.Fatalf("%s does not list the paths the server answers; run WEFT_UPDATE=1 go test ./rest -run TestDocs", file)
	}
	if err := os.WriteFile(file, []byte(text[:from]+want+text[to:]), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRoutesAreSound(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Routes() {
		key := r.Method + " " + r.Path
		if seen[key] || r.handle == nil || r.Doc == "" || !strings.HasPrefix(r.Path, "/") {
			t.Errorf("route %s", key)
		}
		seen[key] = true
		if r.Method != "GET" && r.Access != AccessOwner {
			t.Errorf("%s changes something and is open to readers", key)
		}
	}
	if !slices.ContainsFunc(Routes(), func(r Route) bool { return r.Path == "/jobs/:jobid/yarn-cancel" && r.Access == AccessOwner }) {
		t.Error("yarn-cancel is open to readers")
	}
}

func FuzzSubmit(f *testing.F) {
	request := &restpb.SubmitRequest{JobId: strings.Repeat("ab", 16), Graph: &planpb.JobGraph{Vertices: []*planpb.JobVertex{{Id: "x"}}}}
	binary, err := proto.Marshal(request)
	if err != nil {
		f.Fatal(err)
	}
	text, err := protojson.Marshal(request)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(typeProtobuf, binary)
	f.Add("application/json; charset=utf-8", text)
	f.Add("", []byte{})
	f.Add("text/plain; =", []byte("{"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		got, err := decodeSubmit(contentType, body)
		if (got == nil) == (err == nil) {
			t.Fatalf("request %v and error %v", got, err)
		}
		if err == nil && len(got.Graph.Vertices) == 0 {
			t.Fatal("accepted without vertices")
		}
	})
}

func FuzzQueries(f *testing.F) {
	f.Add("since=5&wait=1000&get=a,b&subtasks=0,2-3&agg=min", 4)
	f.Add("since=-1&wait=99999999999999999999&subtasks=3-1", 0)
	f.Add("subtasks=0-2147483647&get=%00", 1)
	f.Fuzz(func(t *testing.T, raw string, parallelism int) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		if _, wait, err := watchQuery(q); err == nil && (wait < 0 || wait > maxWatch) {
			t.Fatalf("wait %v", wait)
		}
		list, err := queryList(q, "subtasks")
		if err != nil {
			return
		}
		chosen, err := subtaskRanges(list, min(parallelism, 1000))
		if err == nil && len(chosen) > 1000 {
			t.Fatalf("%d subtasks", len(chosen))
		}
		for _, n := range chosen {
			if n < 0 || n >= parallelism {
				t.Fatalf("subtask %d of %d", n, parallelism)
			}
		}
		names, err := queryList(q, "get")
		if err != nil {
			return
		}
		figures, err := queryList(q, "agg")
		if err != nil {
			return
		}
		metrics := []Metric{{ID: "a", Value: "1"}, {ID: "b", Value: "NaN"}}
		if _, err := aggregateMetrics([][]Metric{metrics, metrics}, names, figures); err != nil {
			if _, ok := err.(*Error); !ok {
				t.Fatal(err)
			}
		}
	})
}
