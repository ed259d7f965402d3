package krb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// EnvConfig names the krb5.conf files, separated by colons.
const EnvConfig = "KRB5_CONFIG"

// Bounds on what is read, so that a wrong file ends in an error and not in exhausted memory.
const (
	maxConfigBytes  = 4 << 20
	maxIncludeDepth = 10
)

// usualConfigs are read when KRB5_CONFIG is not set, those that exist.
var usualConfigs = []string{"/etc/krb5.conf", "/usr/local/etc/krb5.conf"}

// Config is what krb5.conf says, as far as it matters here. Of a value given several times the first counts, as in MIT Kerberos.
type Config struct {
	// Files are the files read, included ones too.
	Files []string
	// DefaultRealm is the realm of names without one.
	DefaultRealm string
	// Cache is default_ccache_name, as written.
	Cache string
	// TicketLife and RenewLife are asked for; the KDC may give less. A RenewLife of 0 asks for tickets that are not renewable.
	TicketLife, RenewLife time.Duration
	// Forwardable asks for tickets that may be forwarded.
	Forwardable bool
	// LookupKDC finds KDCs by DNS where none is named.
	LookupKDC bool

	kdcs   map[string][]string            // by realm: host or host:port
	realms map[string]string              // by host or, with a leading dot, domain
	paths  map[string]map[string][]string // capaths: client's realm → server's realm → realms between
}

// LoadConfig reads the krb5.conf that the environment names, or those in the usual places.
func LoadConfig(getenv func(string) string) (*Config, error) {
	names, must := filepath.SplitList(getenv(EnvConfig)), true
	if len(names) == 0 {
		names, must = usualConfigs, false
	}
	return loadConfig(names, must)
}

func loadConfig(names []string, must bool) (*Config, error) {
	p := &profile{}
	for _, name := range names {
		err := p.readFile(name, 0)
		if errors.Is(err, fs.ErrNotExist) && (!must || len(names) > 1) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%w: krb5.conf: %w", ErrConfig, err)
		}
	}
	if len(p.files) == 0 {
		return nil, fmt.Errorf("%w: there is no krb5.conf (%s): install one, or name it by %s", ErrConfig, strings.Join(names, ", "), EnvConfig)
	}
	c, err := p.config()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, strings.Join(p.files, ", "), err)
	}
	return c, nil
}

// profile is a parsed krb5.conf: relations, each with the sections it stands in.
type profile struct {
	files     []string
	relations []relation
}

// relation is key = value below a path of sections: realms / EXAMPLE.COM / kdc.
type relation struct {
	path  []string
	value string
}

func (p *profile) readFile(name string, depth int) error {
	if depth > maxIncludeDepth {
		return fmt.Errorf("%s: included more than %d levels deep", name, maxIncludeDepth)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > maxConfigBytes {
		return fmt.Errorf("%s: %d bytes, expected at most %d", name, st.Size(), maxConfigBytes)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p.files = append(p.files, name)
	return p.parse(name, b.Bytes(), depth)
}

// parse reads one file. An included file starts with a section of its own and does not change the current one.
func (p *profile) parse(name string, text []byte, depth int) error {
	var path []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxConfigBytes)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		var err error
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case strings.HasPrefix(line, "include ") || strings.HasPrefix(line, "includedir ") ||
			strings.HasPrefix(line, "include\t") || strings.HasPrefix(line, "includedir\t"):
			err = p.include(line, depth)
		case strings.HasPrefix(line, "module "): // a plug-in of the C library
		case line[0] == '[':
			section, _, ok := strings.Cut(line[1:], "]")
			if !ok {
				err = fmt.Errorf("section %q without ]", line)
			}
			path = []string{strings.TrimSpace(section)}
		case line[0] == '}':
			if len(path) < 2 {
				err = errors.New("a } without its {")
				break
			}
			path = path[:len(path)-1]
		default:
			path, err = p.relation(path, line)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	return lines.Err()
}

// relation takes one line "key = value" or "key = {"; it gives the path for the lines that follow.
func (p *profile) relation(path []string, line string) ([]string, error) {
	key, value, ok := strings.Cut(line, "=")
	key, value = strings.TrimSuffix(strings.TrimSpace(key), "*"), strings.TrimSpace(value)
	if !ok || key == "" {
		return path, fmt.Errorf("%q: expected key = value", line)
	}
	if len(path) == 0 {
		return path, fmt.Errorf("%q stands in no section", line)
	}
	full := append(slices.Clone(path), key)
	if rest, ok := strings.CutPrefix(value, "{"); ok && strings.TrimSpace(rest) == "" {
		if len(full) > maxIncludeDepth {
			return path, fmt.Errorf("sections are nested more than %d levels deep", maxIncludeDepth)
		}
		return full, nil
	}
	if unquoted, err := strconv.Unquote(value); err == nil && strings.HasPrefix(value, `"`) {
		value = unquoted
	}
	p.relations = append(p.relations, relation{full, value})
	return path, nil
}

// include reads a file, or of a directory the files whose names are made of letters, digits, - and _, or end in .conf.
func (p *profile) include(line string, depth int) error {
	fields := strings.Fields(line)
	if len(fields) != 2 {
		return fmt.Errorf("%q: expected one name", line)
	}
	if fields[0] == "include" {
		return p.readFile(fields[1], depth+1)
	}
	entries, err := os.ReadDir(fields[1])
	if errors.Is(err, fs.ErrNotExist) {
		return nil // packages name /etc/krb5.conf.d whether it is there or not
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		plain := strings.IndexFunc(e.Name(), func(r rune) bool {
			return !(r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
		}) < 0
		if e.IsDir() || !plain && (!strings.HasSuffix(e.Name(), ".conf") || strings.HasPrefix(e.Name(), ".")) {
			continue
		}
		if err := p.readFile(filepath.Join(fields[1], e.Name()), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// config picks out what matters.
func (p *profile) config() (*Config, error) {
	c := &Config{Files: p.files, LookupKDC: true, TicketLife: 24 * time.Hour,
		kdcs: map[string][]string{}, realms: map[string]string{}, paths: map[string]map[string][]string{}}
	seen := map[string]bool{}
	for _, r := range p.relations {
		switch {
		case len(r.path) == 2 && r.path[0] == "libdefaults" && !seen[r.path[1]]:
			seen[r.path[1]] = true
			if err := c.setDefault(r.path[1], r.value); err != nil {
				return nil, fmt.Errorf("%s: %w", r.path[1], err)
			}
		case len(r.path) == 3 && r.path[0] == "realms" && r.path[2] == "kdc":
			c.kdcs[r.path[1]] = append(c.kdcs[r.path[1]], strings.Fields(r.value)...)
		case len(r.path) == 2 && r.path[0] == "domain_realm":
			if name := strings.ToLower(r.path[1]); c.realms[name] == "" {
				c.realms[name] = r.value
			}
		case len(r.path) == 3 && r.path[0] == "capaths":
			if c.paths[r.path[1]] == nil {
				c.paths[r.path[1]] = map[string][]string{}
			}
			if r.value != "." {
				c.paths[r.path[1]][r.path[2]] = append(c.paths[r.path[1]][r.path[2]], strings.Fields(r.value)...)
			}
		}
	}
	return c, nil
}

func (c *Config) setDefault(key, value string) (err error) {
	switch key {
	case "default_realm":
		c.DefaultRealm = value
	case "default_ccache_name":
		c.Cache = value
	case "ticket_lifetime":
		c.TicketLife, err = lifetime(value)
	case "renew_lifetime":
		c.RenewLife, err = lifetime(value)
	case "forwardable":
		c.Forwardable, err = boolean(value)
	case "dns_lookup_kdc":
		c.LookupKDC, err = boolean(value)
	}
	return err
}

func boolean(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "y", "yes", "true", "t", "1", "on":
		return true, nil
	case "n", "no", "false", "nil", "0", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q: expected true or false", v)
}

// lifetime reads 36000, 10h, "1d 2h 3m 4s" and 10:00:00.
func lifetime(v string) (time.Duration, error) {
	bad := fmt.Errorf("%q: expected a time such as 36000, 10h, 1d12h or 10:00:00", v)
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	if parts := strings.Split(v, ":"); len(parts) > 1 && len(parts) < 4 {
		total, unit := time.Duration(0), time.Hour
		for _, part := range parts {
			n, err := strconv.ParseUint(part, 10, 16)
			if err != nil {
				return 0, bad
			}
			total += time.Duration(n) * unit
			unit /= 60
		}
		return total, nil
	}
	total, digits := time.Duration(0), ""
	units := map[rune]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	for _, r := range strings.ToLower(strings.ReplaceAll(v, " ", "")) {
		if r >= '0' && r <= '9' {
			digits += string(r)
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil || units[r] == 0 {
			return 0, bad
		}
		total, digits = total+time.Duration(n)*units[r], ""
	}
	if digits != "" || v == "" {
		return 0, bad
	}
	return total, nil
}

// RealmOf gives the realm of a host by [domain_realm], "" when nothing is said.
func (c *Config) RealmOf(host string) string {
	host = strings.ToLower(host)
	if r := c.realms[host]; r != "" {
		return r
	}
	for rest := host; ; {
		i := strings.IndexByte(rest, '.')
		if i < 0 {
			return ""
		}
		// ".domain" means the hosts below it; "domain" itself counts too when it stands for one of several levels up.
		if r := c.realms[rest[i:]]; r != "" {
			return r
		}
		rest = rest[i+1:]
		if r := c.realms[rest]; r != "" {
			return r
		}
	}
}
