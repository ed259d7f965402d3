package doctor

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/plural"
)

// Clocks that differ by more are worth a word; Kerberos refuses those that differ by five minutes.
const (
	notableSkew = 30 * time.Second
	fatalSkew   = 5 * time.Minute
	maxPage     = 8 << 20
)

// webClient reads pages of Hadoop's servers. They are read where they are open to everybody: nothing that matters rests on them.
type webClient struct {
	scheme string
	http   *http.Client
}

func (e *examination) newWeb() *webClient {
	w := &webClient{scheme: "http", http: &http.Client{Timeout: e.Patience, Transport: &http.Transport{DialContext: e.Dial}}}
	if e.hadoop.HTTPSOnly() {
		w.scheme = "https"
	}
	return w
}

func (w *webClient) close() { w.http.CloseIdleConnections() }

// page is an answer with what it says about the other side's clock.
type page struct {
	status int
	body   []byte
	// theirs is the other side's time, sent between sent and got; zero when it does not say.
	theirs, sent, got time.Time
}

// wantsTicket tells a page that is not open to everybody.
func (p page) wantsTicket() bool {
	return p.status == http.StatusUnauthorized || p.status == http.StatusForbidden
}

// get reads a page, with a ticket where it wants one.
func (e *examination) get(ctx context.Context, address, path string) (page, error) {
	p, err := e.web.ask(ctx, address, path, "", e.Now)
	if err == nil && p.status == http.StatusUnauthorized {
		p = e.askWithTicket(ctx, address, path, p)
	}
	return p, err
}

func (w *webClient) ask(ctx context.Context, address, path, authorization string, now func() time.Time) (page, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.scheme+"://"+address+path, nil)
	if err != nil {
		return page{}, err
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	p := page{sent: now()}
	answer, err := w.http.Do(r)
	if err != nil {
		return p, err
	}
	defer answer.Body.Close()
	p.status, p.got = answer.StatusCode, now()
	if t, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		p.theirs = t
	}
	p.body, err = io.ReadAll(io.LimitReader(answer.Body, maxPage))
	return p, err
}

// skew is by how much the other clock is ahead of ours at the least; a time of whole seconds may be one behind.
func skew(theirs, sent, got time.Time, precision time.Duration) time.Duration {
	switch {
	case theirs.After(got):
		return theirs.Sub(got)
	case theirs.Add(precision).Before(sent):
		return theirs.Add(precision).Sub(sent)
	}
	return 0
}

// clocks compares this machine's clock with the KDC's and the ResourceManagers'. The NameNode's is looked at with the home directory.
func (e *examination) clocks(ctx context.Context) bool {
	e.web = e.newWeb()
	e.kdcClock(ctx)
	rms, err := e.hadoop.ResourceManagers()
	if err != nil {
		return true
	}
	for _, rm := range rms {
		p, err := e.get(ctx, rm.Web, "/ws/v1/cluster/info")
		switch {
		case err != nil:
			e.warn("clock", "is yarn.resourcemanager.webapp.address right?", "the ResourceManager's web address %s does not answer, so its clock is not known: %v", rm.Web, dialReason(err))
		case p.theirs.IsZero() && p.wantsTicket() && !e.spoken["ResourceManager"]:
			e.warn("clock", "", "the ResourceManager's page wants a ticket and does not tell its time")
		case p.theirs.IsZero() && p.wantsTicket():
			e.ok("clock", "the ResourceManager's page wants a ticket and does not tell its time, but Kerberos, which allows %v, let us in", fatalSkew)
		case p.theirs.IsZero():
			e.warn("clock", "", "the ResourceManager's web address %s does not tell its time", rm.Web)
		default:
			e.clock("ResourceManager", skew(p.theirs, p.sent, p.got, time.Second))
		}
	}
	return true
}

// clock judges a difference.
func (e *examination) clock(whose string, ahead time.Duration) {
	const check, mend = "clock", "set both clocks by NTP"
	off, word := ahead.Abs().Round(time.Second), "ahead of"
	if ahead < 0 {
		word = "behind"
	}
	switch {
	case off > fatalSkew && e.hadoop.Secure():
		e.wrong(CauseSettings, check, mend, "the %s's clock is %v %s this machine's: Kerberos allows %v", whose, off, word, fatalSkew)
	case off > notableSkew:
		e.warn(check, mend, "the %s's clock is %v %s this machine's: times in logs and on pages will not agree", whose, off, word)
	default:
		e.ok(check, "the %s's agrees with this machine's", whose)
	}
}

// versions tells which Hadoop the servers are, as far as their pages are open.
func (e *examination) versions(ctx context.Context) bool {
	const check = "versions"
	rms, err := e.hadoop.ResourceManagers()
	if err != nil {
		return true
	}
	var said []string
	old := ""
	note := func(whose, version string) {
		if version == "" {
			return
		}
		said = append(said, whose+" "+version)
		if major, _, _ := strings.Cut(version, "."); major == "1" || major == "2" {
			old = version
		}
	}
	for _, rm := range rms {
		var info struct {
			ClusterInfo struct{ HadoopVersion string }
		}
		if e.document(ctx, rm.Web, "/ws/v1/cluster/info", &info) {
			note("ResourceManager", info.ClusterInfo.HadoopVersion)
		}
		var nodes struct {
			Nodes struct{ Node []struct{ Version string } }
		}
		if !e.document(ctx, rm.Web, "/ws/v1/cluster/nodes", &nodes) {
			continue
		}
		count := map[string]int{}
		for _, n := range nodes.Nodes.Node {
			count[n.Version]++
		}
		for _, v := range slices.Sorted(maps.Keys(count)) {
			note(plural.Words(count[v], "node", "nodes"), v)
		}
	}
	if address := e.hadoop.Get("dfs.namenode.http-address"); address != "" && !strings.HasPrefix(address, "0.0.0.0") && !e.hadoop.HTTPSOnly() {
		var beans struct{ Beans []struct{ Version string } }
		if e.document(ctx, address, "/jmx?qry=Hadoop:service=NameNode,name=NameNodeInfo", &beans) && len(beans.Beans) > 0 {
			version, _, _ := strings.Cut(beans.Beans[0].Version, ",")
			note("NameNode", version)
		}
	}
	switch {
	case len(said) == 0 && e.hadoop.Secure():
		e.ok(check, "Hadoop: not known: the servers' pages want a ticket")
	case len(said) == 0:
		e.warn(check, "", "the servers' pages do not tell which Hadoop this is")
	case old != "":
		e.warn(check, "Weft is tested with Hadoop 3", "Hadoop: %s", strings.Join(said, ", "))
	default:
		e.ok(check, "Hadoop: %s", strings.Join(said, ", "))
	}
	return true
}

// document reads a page of JSON; false when there is none to be read.
func (e *examination) document(ctx context.Context, address, path string, to any) bool {
	p, err := e.get(ctx, address, path)
	return err == nil && p.status == http.StatusOK && json.Unmarshal(p.body, to) == nil
}

// configurationOf reads the configuration that a NodeManager runs with; false where it is not shown to us.
func (e *examination) configurationOf(ctx context.Context, httpAddress string) (*hadoopconf.Conf, bool) {
	p, err := e.get(ctx, httpAddress, "/conf")
	if err != nil || p.status != http.StatusOK {
		return nil, false
	}
	conf, err := hadoopconf.ParseXML(nil, httpAddress, strings.NewReader(string(p.body)))
	return conf, err == nil && conf.IsSet("yarn.nodemanager.address")
}
