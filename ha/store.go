package ha

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weft-project/weft/id"
)

// Errors that callers branch on; stores wrap them with what happened.
var (
	// ErrNotFound: there is no value under the key.
	ErrNotFound = errors.New("nothing is stored there")
	// ErrNoLeader: nobody has announced itself as leader.
	ErrNoLeader = errors.New("the cluster has no leader")
	// ErrFenced: another leader's epoch holds, or the term was deposed; nothing was written. It is final.
	ErrFenced = errors.New("this leader was superseded")
	// ErrLease: the arbiter has not answered in time, so that the leader may not publish. It may come back.
	ErrLease = errors.New("the leader's lease is not sure to hold")
	// ErrSuperseded: a later attempt of the same group has already led, so that this one may not ask.
	ErrSuperseded = errors.New("a later attempt has already led")
	// ErrLed: the cluster has a live leader.
	ErrLed = errors.New("the cluster has a live leader")
	// ErrResigned: the term was given up by its leader.
	ErrResigned = errors.New("the leader has resigned")
)

// Epoch numbers the terms of a cluster's leaders (F1). 0 is no epoch.
type Epoch uint64

// Kind is one of the three things that a store keeps for a job.
type Kind string

// Kinds. The words are the names of nodes and folders.
const (
	Graph      Kind = "jobgraphs"
	Checkpoint Kind = "checkpoints"
	Result     Kind = "results"
)

// Kinds lists them all.
var Kinds = []Kind{Graph, Checkpoint, Result}

// Key names one value.
type Key struct {
	Kind Kind
	Job  id.Job
}

// String gives kind/job.
func (k Key) String() string { return string(k.Kind) + "/" + k.Job.String() }

// Candidate is who campaigns.
type Candidate struct {
	// Identity says who it is, to people: a container, or a host and a process.
	Identity string `json:"identity"`
	// Group and Attempt: on YARN the application and the number of its attempt. Attempts of one group know who is
	// the latest; an older one than has led may not ask any more. Group "" is none.
	Group   string `json:"group,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	// Supersedes: an arbiter outside the store (YARN) has said that the older attempts of the group have ended. They are
	// fenced at once instead of being waited for.
	Supersedes bool `json:"supersedes,omitempty"`
	// Lease is how long the arbiter outside the store waits for a sign of life before it starts another attempt. The leader then
	// tells the term of the arbiter's answers ([Term.Answered]). 0: the store is the arbiter.
	Lease time.Duration `json:"-"`
}

// Outranks reports whether c is a later attempt than other, of the same group.
func (c Candidate) Outranks(other Candidate) bool {
	return c.Group != "" && c.Group == other.Group && c.Attempt > other.Attempt
}

// Owner is the record of who holds an epoch.
type Owner struct {
	Epoch Epoch `json:"epoch"`
	// Place is the store's own note of where the owner stands in the election.
	Place     string    `json:"place,omitempty"`
	Candidate Candidate `json:"candidate"`
}

// Leader is the record of where the leader is found.
type Leader struct {
	Epoch Epoch `json:"epoch"`
	// Identity is the candidate's.
	Identity string `json:"identity"`
	// Control is host:port for TaskManagers; REST is the URL for clients. Both are the leader's to choose.
	Control string `json:"control"`
	REST    string `json:"rest"`
}

// Store is the HA store of one cluster, as one process sees it. Its methods may be called concurrently; each returns soon after
// its context has ended. Calls go on trying through trouble of the store as long as the store's options say.
type Store interface {
	// Campaign enters the election and returns when it is won; the term is the leader's until it is lost or resigned.
	Campaign(ctx context.Context, c Candidate) (Term, error)
	// Leader reads who leads; ErrNoLeader.
	Leader(ctx context.Context) (Leader, error)
	// Watch returns when a leader's record is there that is not the one seen. It waits through trouble of the store.
	Watch(ctx context.Context, seen Leader) (Leader, error)
	// Depose ends the term of a leader whose process the caller knows to have ended (its connection was closed and nobody answers at
	// its address), so that nobody waits for its lease. Should it live all the same, it is fenced.
	Depose(ctx context.Context, l Leader) error
	// Get reads a value; ErrNotFound.
	Get(ctx context.Context, k Key) ([]byte, error)
	// Jobs lists the jobs that have a value of the kind, sorted.
	Jobs(ctx context.Context, kind Kind) ([]id.Job, error)
	// Close ends the process's part; a term that it still has is resigned.
	Close() error
}

// Term is the time for which a candidate leads. Its methods may be called concurrently.
type Term interface {
	// Epoch is the term's, for every message and file of the leader.
	Epoch() Epoch
	// Check tells whether the leader may publish and commit now: ErrLease, or, for good, ErrFenced or ErrResigned. It asks nobody.
	Check() error
	// Lost is closed when the term has ended; Cause says why then.
	Lost() <-chan struct{}
	Cause() error
	// Answered tells the term that the arbiter outside has answered a question that was sent at that time, see Candidate.Lease.
	Answered(sent time.Time)
	// Announce publishes where the leader is found, and wakes who watches. Epoch and Identity are filled in.
	Announce(ctx context.Context, l Leader) error
	// Put writes a value in one step, if the term's epoch still holds. When it returns an error other than ErrFenced or ErrLease the
	// value may or may not be there, now or soon; Put may be called again.
	Put(ctx context.Context, k Key, value []byte) error
	// Delete removes a value, if the epoch still holds; one that is not there is no error.
	Delete(ctx context.Context, k Key) error
	// Tidy removes what earlier terms left half-written.
	Tidy(ctx context.Context) error
	// Resign gives the term up and lets others lead at once.
	Resign(ctx context.Context) error
	// Purge ends the term and removes all that the store has of the cluster.
	Purge(ctx context.Context) error
}

// Cluster is what a store knows of one cluster, whether it lives or not.
type Cluster struct {
	// ID is the cluster's id.
	ID string
	// Leader is the announced one, zero without one.
	Leader Leader
	// Live tells whether somebody leads or campaigns, as far as the store can tell.
	Live bool
	// Graphs, Checkpoints and Results count the jobs that have one.
	Graphs, Checkpoints, Results int
	// Changed is when the cluster last changed its leader; zero where the store does not say.
	Changed time.Time
}

// Count counts one value of a job.
func (c *Cluster) Count(kind Kind) {
	switch kind {
	case Graph:
		c.Graphs++
	case Checkpoint:
		c.Checkpoints++
	case Result:
		c.Results++
	}
}

// Admin looks after all clusters of a store.
type Admin interface {
	// Clusters lists them, sorted by id.
	Clusters(ctx context.Context) ([]Cluster, error)
	// Remove removes all that the store has of a cluster; ErrNotFound. One that lives is ErrLed unless force is set: its
	// leader is then fenced.
	Remove(ctx context.Context, cluster string, force bool) error
	// Close ends the connection.
	Close() error
}

// CleanClusterID checks a cluster id and gives it without leading and trailing slashes. It may have several parts.
func CleanClusterID(text string) (string, error) {
	clean := strings.Trim(text, "/")
	bad := func(why string) (string, error) {
		return "", fmt.Errorf("high-availability.cluster-id %q: %s", text, why)
	}
	if clean == "" {
		return bad("expected a name")
	}
	for part := range strings.SplitSeq(clean, "/") {
		switch {
		case part == "" || part == "." || part == "..":
			return bad("expected names between the slashes")
		case part == "zookeeper" || strings.HasPrefix(part, folderPrefix) || isEntry(part):
			return bad(fmt.Sprintf("%q is a name that the store uses itself", part))
		case strings.IndexFunc(part, func(r rune) bool { return r <= ' ' || r == ':' || r == 0x7f || r == '{' || r == '}' }) >= 0:
			return bad("expected no blanks, colons, braces and control characters")
		}
	}
	return clean, nil
}

// folderPrefix begins the name of a publishing folder, see PublishingFolder.
const folderPrefix = "publishing-"

// isEntry tells names that a cluster's entries have in some store.
func isEntry(part string) bool {
	switch part {
	case string(Graph), string(Checkpoint), string(Result), "epoch", "latch", "leader":
		return true
	}
	return false
}
