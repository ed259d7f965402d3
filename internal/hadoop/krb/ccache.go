package krb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// EnvCache names the ticket cache: FILE:PATH, DIR:PATH or a plain path.
const EnvCache = "KRB5CCNAME"

// maxCacheFile bounds a ticket cache. Real ones have a few KiB.
const maxCacheFile = 16 << 20

// cacheName finds the name of the ticket cache, in the order of MIT Kerberos.
func cacheName(c *Config, getenv func(string) string) string {
	if name := getenv(EnvCache); name != "" {
		return name
	}
	uid := fmt.Sprint(os.Getuid())
	if c.Cache == "" {
		return "FILE:/tmp/krb5cc_" + uid
	}
	tmp, name := getenv("TMPDIR"), ""
	if tmp == "" {
		tmp = "/tmp"
	}
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return strings.NewReplacer("%{uid}", uid, "%{euid}", fmt.Sprint(os.Geteuid()), "%{USERID}", uid,
		"%{username}", name, "%{TEMP}", tmp, "%{null}", "").Replace(c.Cache)
}

// ticketCache is what a ticket cache file holds.
type ticketCache struct {
	name    string // FILE:…
	client  Principal
	tickets []Ticket
}

// best is the client's ticket for a server that lasts longest; nil where there is none.
func (c *ticketCache) best(server Principal) *Ticket {
	var best *Ticket
	for i := range c.tickets {
		if t := &c.tickets[i]; t.Server.Equal(server) && t.Client.Equal(c.client) && (best == nil || t.End.After(best.End)) {
			best = t
		}
	}
	return best
}

// readCache reads the ticket cache of the given name; of a directory the primary one or, when want is not the zero name, the
// one of that principal.
func readCache(name string, want Principal) (*ticketCache, error) {
	kind, path, ok := strings.Cut(name, ":")
	if !ok || strings.HasPrefix(name, "/") {
		kind, path = "FILE", name
	}
	switch strings.ToUpper(kind) {
	case "FILE":
		return readCacheFile(path)
	case "DIR":
		if file, ok := strings.CutPrefix(path, ":"); ok {
			return readCacheFile(file)
		}
		return readCacheDir(path, want)
	}
	return nil, fmt.Errorf("%w: the ticket cache %s is of the kind %s, which only the C library reads: "+
		"run export %s=FILE:/tmp/krb5cc_$(id -u) and kinit again", ErrNoTicket, name, kind, EnvCache)
}

func readCacheDir(dir string, want Principal) (*ticketCache, error) {
	if want.Realm != "" {
		files, err := filepath.Glob(filepath.Join(dir, "tkt*"))
		if err != nil {
			return nil, fmt.Errorf("ticket cache DIR:%s: %w", dir, err)
		}
		for _, f := range files {
			if c, err := readCacheFile(f); err == nil && c.client.Equal(want) {
				return c, nil
			}
		}
	}
	primary := "tkt"
	b, err := os.ReadFile(filepath.Join(dir, "primary"))
	switch {
	case err == nil:
		primary = strings.TrimSpace(string(b))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("ticket cache DIR:%s: %w", dir, err)
	}
	if strings.ContainsRune(primary, '/') || !strings.HasPrefix(primary, "tkt") {
		return nil, fmt.Errorf("ticket cache DIR:%s: its file primary names %q, expected a name that starts with tkt", dir, primary)
	}
	return readCacheFile(filepath.Join(dir, primary))
}

func readCacheFile(path string) (*ticketCache, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("ticket cache FILE:%s: %w", path, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("ticket cache FILE:%s: %w", path, err)
	}
	// In a directory of everybody, such as /tmp, somebody else may have put it there, to have us act as him.
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && !trusted(int(sys.Uid), os.Geteuid()) {
		return nil, fmt.Errorf("%w: the ticket cache FILE:%s belongs to the user with the number %d, not to the one who runs this command: "+
			"remove it, or name your own in %s", ErrNoTicket, path, sys.Uid, EnvCache)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxCacheFile))
	if err != nil {
		return nil, fmt.Errorf("ticket cache FILE:%s: %w", path, err)
	}
	c, err := parseCache(b)
	if err != nil {
		return nil, fmt.Errorf("ticket cache FILE:%s: %w", path, err)
	}
	c.name = "FILE:" + path
	return c, nil
}

// trusted tells whether a file of an owner may say who we are: ours and root's, and for root everybody's.
func trusted(owner, me int) bool { return owner == me || owner == 0 || me == 0 }

// errCacheShort is what the decoder says when bytes are missing.
var errCacheShort = errors.New("ends too early")

// parseCache decodes versions 3 and 4 of the format, which libraries have written since 1995.
func parseCache(b []byte) (*ticketCache, error) {
	if len(b) < 2 || b[0] != 5 || b[1] != 3 && b[1] != 4 {
		return nil, fmt.Errorf("%d bytes that are no ticket cache of version 3 or 4", len(b))
	}
	version := b[1]
	r := &cacheReader{b: b[2:]}
	if version == 4 {
		r.take(int(r.u16())) // tags: the KDC's time offset
	}
	c := &ticketCache{client: r.principal()}
	if r.err == nil && !c.client.named() {
		return nil, errors.New("a ticket cache without a principal")
	}
	for r.err == nil && len(r.b) > 0 {
		t, ok, err := r.credential(version)
		if err != nil {
			return nil, err
		}
		if ok {
			c.tickets = append(c.tickets, t)
		}
	}
	return c, r.err
}

// cacheReader takes a cache apart; after the first error everything is zero.
type cacheReader struct {
	b   []byte
	err error
}

func (r *cacheReader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.err = errCacheShort
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *cacheReader) u8() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *cacheReader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *cacheReader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *cacheReader) data() []byte { return r.take(int(r.u32())) }

func (r *cacheReader) time() time.Time { return time.Unix(int64(r.u32()), 0) }

func (r *cacheReader) principal() Principal {
	r.u32() // the kind of name
	n := r.u32()
	p := Principal{Realm: string(r.data())}
	for ; n > 0 && r.err == nil; n-- {
		p.Components = append(p.Components, string(r.data()))
	}
	return p
}

// credential reads one entry; ok is false for one that is no ticket (settings, and what was removed).
func (r *cacheReader) credential(version byte) (t Ticket, ok bool, err error) {
	t.Client, t.Server = r.principal(), r.principal()
	t.key.KeyType = int32(int16(r.u16()))
	if version == 3 {
		r.u16() // once more
	}
	t.key.KeyValue = r.data()
	r.time() // of the log-in
	t.Start, t.End, t.RenewTill = r.time(), r.time(), r.time()
	r.u8() // user to user
	t.flags = r.u32()
	for range 2 { // addresses, authorization data
		for n := r.u32(); n > 0 && r.err == nil; n-- {
			r.u16()
			r.data()
		}
	}
	raw := r.data()
	r.data() // second ticket
	if r.err != nil {
		return t, false, r.err
	}
	if t.Server.Realm == "X-CACHECONF:" || t.End.Unix() <= 0 || len(raw) == 0 {
		return t, false, nil
	}
	if err := guard(func() error { return t.raw.Unmarshal(raw) }); err != nil {
		return t, false, fmt.Errorf("ticket for %s: %w", t.Server, err)
	}
	return t, true, nil
}
