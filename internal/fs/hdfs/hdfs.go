package hdfs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/internal/delay"
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	hdfspb "github.com/weft-project/weft/internal/hadoop/proto/hdfs"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// clientProtocol is the NameNode's interface for clients.
var clientProtocol = rpc.Protocol{Name: "org.apache.hadoop.hdfs.protocol.ClientProtocol", Version: 1}

const (
	defaultRetryMaxWait = 60 * time.Second
	firstPause          = 100 * time.Millisecond
	maxPause            = 2 * time.Second
	// closeTimeout bounds the removal of unfinished files when the store is closed.
	closeTimeout = 5 * time.Second
)

// Options say who uses the store. User is required where there is neither a token nor a Kerberos login.
type Options struct {
	// User is who acts, believed by clusters without Kerberos; its home directory is Home.
	User string
	// ProxyUser, when not empty, is for whom the user acts (HADOOP_PROXY_USER); Home is then the other's.
	ProxyUser string
	// Kerberos is the login on a secured cluster; nil is none.
	Kerberos *krb.Login
	// Credentials are the tokens at hand; nil is none. The HDFS delegation token of this NameNode is used when there is one.
	Credentials *token.Credentials
	// Log gets what happens on the way; nil logs nothing.
	Log *slog.Logger
	// RetryMaxWait is how long a NameNode that is down or in safe mode is waited for; not above 0 means 60 s.
	RetryMaxWait time.Duration
	// OnWait is told, once for each time, that the NameNode is waited for. It may be called by several goroutines.
	OnWait func(text string)
}

// FS is one HDFS. New makes it.
type FS struct {
	uri     string
	home    string
	user    string
	maxWait time.Duration
	log     *slog.Logger
	onWait  func(text string)
	files   fileSettings

	client   *rpc.Client
	proxy    *rpc.Proxy
	identity identity
	// waiting tells that OnWait has been told and the NameNode has not answered since.
	waiting atomic.Bool

	ctx    context.Context
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	closed  bool
	writers map[*writer]struct{}

	defaults struct {
		sync.Mutex
		// answer is what the library gets to see until then.
		answer []byte
		until  time.Time
		// encrypted tells that blocks travel encrypted; key is nil until it is needed.
		encrypted bool
		key       *hdfspb.DataEncryptionKey
	}
}

var errClosed = errors.New("the file system is closed")

// owner is whose home directory counts, and who owns new files: for whom we act, the name given, or whom token or ticket name.
func (o Options) owner(conf *hadoopconf.Conf, tok *token.Token) (string, error) {
	switch {
	case o.ProxyUser != "":
		return o.ProxyUser, nil
	case o.User != "":
		return o.User, nil
	case tok != nil:
		d, err := tok.Delegation()
		return d.Owner, err
	case o.Kerberos != nil:
		return o.Kerberos.User(conf.Get)
	}
	return "", errors.New("no user is given")
}

// New opens the HDFS of an authority ("host:port" or the name of a name service; "" means that of fs.defaultFS). Nothing is
// connected before the first call. What it gives is a *FS, with the calls about delegation tokens.
func New(conf *hadoopconf.Conf, authority string, o Options) (fs.FileSystem, error) {
	if authority == "" {
		scheme, a, _ := fs.SplitURI(conf.Get("fs.defaultFS"))
		if scheme == "hdfs" {
			authority = a
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.RetryMaxWait <= 0 {
		o.RetryMaxWait = defaultRetryMaxWait
	}
	addrs, logical, err := conf.NameNodes(authority)
	if err != nil {
		return nil, err
	}
	tok := delegationToken(authority, addrs, logical, o.Credentials)
	owner, err := o.owner(conf, tok)
	if err != nil {
		return nil, fmt.Errorf("hdfs://%s: %w", authority, err)
	}
	sec, err := security(conf, tok, o)
	if err != nil {
		return nil, err
	}
	files, err := settings(conf)
	if err != nil {
		return nil, err
	}
	limits, err := rpcOptions(conf, o)
	if err != nil {
		return nil, err
	}
	f := &FS{uri: "hdfs://" + authority, home: conf.GetOr("dfs.user.home.dir.prefix", "/user") + "/" + owner, user: owner,
		maxWait: o.RetryMaxWait, log: o.Log, onWait: o.OnWait, files: files, writers: map[*writer]struct{}{}}
	f.ctx, f.cancel = context.WithCancelCause(context.Background())
	f.client = rpc.NewClient(limits)
	target := rpc.Target{Name: "NameNode", Addresses: addrs, Protocol: clientProtocol, Security: sec,
		Retry: rpc.Retry{MaxWait: o.RetryMaxWait, Interval: firstPause, MaxInterval: maxPause, OnRetry: f.retried}}
	f.proxy = f.client.Proxy(target)
	f.identity = identity{conf: conf, authority: authority, addrs: addrs, logical: logical, issuer: f.proxy}
	if sec.Kerberos != nil {
		// One of its own from the start: the other's calls may come with a token later (SetCredentials). Until then both share a connection.
		if tok != nil {
			own := *sec
			own.Token = nil
			target.Security = &own
		}
		f.identity.issuer = f.client.Proxy(target)
	}
	return f, nil
}

// URI is FileSystem's.
func (f *FS) URI() string { return f.uri }

// Home is FileSystem's.
func (f *FS) Home() string { return f.home }

// Close is FileSystem's. Files that are still being written are removed, as far as the NameNode answers soon.
func (f *FS) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	open := f.writers
	f.writers = nil
	f.mu.Unlock()
	ctx, stop := context.WithTimeout(context.Background(), closeTimeout)
	defer stop()
	for w := range open {
		w.session.end(errClosed)
		if err := f.remove(ctx, w.inode); err != nil {
			f.log.Warn("an unfinished file stays behind", "path", f.uri+w.path, "error", err)
		}
	}
	f.cancel(errClosed)
	f.client.Close()
	return nil
}

// track notes a file that is being written, for Close; false when the store is closed already.
func (f *FS) track(w *writer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.writers[w] = struct{}{}
	return true
}

func (f *FS) untrack(w *writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.writers, w)
}

// invoke makes one call, waiting for a NameNode that is down, in safe mode or behind with its replicas.
func (f *FS) invoke(ctx context.Context, method string, req, resp proto.Message) error {
	began := time.Now()
	pause := firstPause
	for {
		// A call whose caller is gone must not be sent at all.
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := f.proxy.Call(ctx, method, req, resp)
		if err == nil {
			f.waiting.Store(false)
			return nil
		}
		if !passing(err) || ctx.Err() != nil || time.Since(began)+pause > f.maxWait {
			return err
		}
		f.retried(err, pause)
		f.log.Debug("hdfs call is repeated", "method", method, "pause", pause, "error", err)
		if delay.For(ctx, pause) != nil {
			return fmt.Errorf("%w, last: %w", context.Cause(ctx), err)
		}
		pause = min(2*pause, maxPause)
	}
}

// retried tells the user once when the NameNode is waited for.
func (f *FS) retried(err error, wait time.Duration) {
	if wait == 0 || f.onWait == nil {
		return
	}
	var text string
	switch {
	case isSafeMode(err):
		text = fmt.Sprintf("waiting up to %v for the NameNode of %s to leave safe mode", f.maxWait, f.uri)
	case errors.Is(err, rpc.ErrConnect), errors.Is(err, rpc.ErrTimeout), errors.Is(err, rpc.ErrStandby):
		text = fmt.Sprintf("waiting up to %v for the NameNode of %s: %v", f.maxWait, f.uri, err)
	default:
		return
	}
	if f.waiting.CompareAndSwap(false, true) {
		f.onWait(text)
	}
}
