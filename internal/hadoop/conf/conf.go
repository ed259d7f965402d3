package hadoopconf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// maxSubstitutions bounds ${…} expansion of one value, as Hadoop's Configuration does.
const maxSubstitutions = 20

// Conf is one effective Hadoop configuration. It is safe for use by several goroutines.
type Conf struct {
	// getenv answers ${env.NAME} and the few Java system properties that have an equivalent here.
	getenv func(string) string

	mu     sync.RWMutex
	values map[string]entry
	files  []string
}

// entry is one raw (unexpanded) property.
type entry struct {
	value string
	// source is the file that set it, or "set by the program".
	source string
	final  bool
}

// sourceSet is the source of a value given through Set.
const sourceSet = "set by the program"

// New gives a configuration with nothing but the built-in defaults. getenv may be nil: then no variable is set.
func New(getenv func(string) string) *Conf {
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	return &Conf{getenv: getenv, values: map[string]entry{}}
}

// Clone gives an independent copy.
func (c *Conf) Clone() *Conf {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return &Conf{getenv: c.getenv, values: maps.Clone(c.values), files: slices.Clone(c.files)}
}

// Get gives the expanded, trimmed value of key, its built-in default when it is not set, and "" when there is neither.
func (c *Conf) Get(key string) string {
	v, _ := c.Lookup(key)
	return v
}

// GetOr gives the value of key, or def when key has neither a value nor a built-in default, or is empty.
func (c *Conf) GetOr(key, def string) string {
	if v := c.Get(key); v != "" {
		return v
	}
	return def
}

// Lookup gives the expanded, trimmed value of key and whether it is set or has a built-in default.
func (c *Conf) Lookup(key string) (string, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	raw, ok := c.raw(key)
	if !ok {
		return "", false
	}
	return strings.TrimSpace(c.expand(raw)), true
}

// IsSet tells whether a file or Set gave key a value (built-in defaults do not count).
func (c *Conf) IsSet(key string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, ok := c.values[canonical(key)]
	return ok
}

// Set gives key a value. As in Hadoop it wins over every file, final parameters included.
func (c *Conf) Set(key, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[canonical(strings.TrimSpace(key))] = entry{value: value, source: sourceSet}
}

// Source tells where the value of key comes from: a file name, "set by the program", "built-in default", or "" when unset.
func (c *Conf) Source(key string) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	key = canonical(key)
	if e, ok := c.values[key]; ok {
		return e.source
	}
	if _, ok := defaults[key]; ok {
		return "built-in default"
	}
	return ""
}

// Files lists the files that were read, in the order in which they were read, included ones after their parents.
func (c *Conf) Files() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.files)
}

// Keys lists, sorted, every key that a file or Set gave a value.
func (c *Conf) Keys() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Sorted(maps.Keys(c.values))
}

// WithPrefix gives the expanded values of all set keys that start with prefix, by the rest of their names.
func (c *Conf) WithPrefix(prefix string) map[string]string {
	out := map[string]string{}
	for _, k := range c.Keys() {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			out[rest] = c.Get(k)
		}
	}
	return out
}

// put stores one property read from a file, unless an earlier file made it final.
func (c *Conf) put(key string, e entry) {
	key = canonical(key)
	if old, ok := c.values[key]; ok && old.final && old.source != e.source {
		return
	}
	c.values[key] = e
}

// raw gives the unexpanded value. The caller holds mu.
func (c *Conf) raw(key string) (string, bool) {
	key = canonical(strings.TrimSpace(key))
	if e, ok := c.values[key]; ok {
		return e.value, true
	}
	v, ok := defaults[key]
	return v, ok
}

// expand substitutes ${…}, innermost first. What cannot be resolved stays as it is written, as in Hadoop; so does the
// whole of a value that refers to itself. The caller holds mu.
func (c *Conf) expand(value string) string {
	seen := map[string]bool{}
	for range maxSubstitutions {
		start, end, name := nextVariable(value)
		if start < 0 {
			return value
		}
		repl, ok := c.variable(name)
		if !ok {
			// Hadoop stops at the first variable it cannot resolve.
			return value
		}
		whole := value[start:end]
		if seen[whole] && strings.Contains(repl, "${") || repl == whole {
			return value
		}
		seen[whole] = true
		value = value[:start] + repl + value[end:]
	}
	return value
}

// variable resolves one name found in ${…}.
func (c *Conf) variable(name string) (string, bool) {
	if env, ok := strings.CutPrefix(name, "env."); ok {
		if i := strings.Index(env, ":-"); i > 0 {
			if v := c.getenv(env[:i]); v != "" {
				return v, true
			}
			return env[i+2:], true
		}
		if i := strings.IndexByte(env, '-'); i > 0 {
			if v := c.getenv(env[:i]); v != "" {
				return v, true
			}
			return env[i+1:], true
		}
		v := c.getenv(env)
		return v, v != ""
	}
	if v, ok := c.systemProperty(name); ok {
		return v, true
	}
	return c.raw(name)
}

// systemProperty answers the Java system properties that configuration files really use.
func (c *Conf) systemProperty(name string) (string, bool) {
	first := func(keys ...string) (string, bool) {
		for _, k := range keys {
			if v := c.getenv(k); v != "" {
				return v, true
			}
		}
		return "", false
	}
	switch name {
	case "user.name":
		return first("USER", "LOGNAME")
	case "user.home":
		return first("HOME")
	case "hadoop.home.dir":
		return first("HADOOP_HOME")
	case "java.io.tmpdir":
		return "/tmp", true
	}
	return "", false
}

// nextVariable finds the first ${name} whose name holds no "$", "{" or "}" (so the innermost of nested ones). start is
// -1 when there is none; [start, end) covers the braces.
func nextVariable(s string) (start, end int, name string) {
	open := -1
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '$' && i+1 < len(s) && s[i+1] == '{':
			open = i
			i++
		case s[i] == '}' && open >= 0:
			if name := s[open+2 : i]; name != "" && !strings.ContainsAny(name, "${") {
				return open, i + 1, name
			}
			open = -1
		case s[i] == ' ' || s[i] == '$':
			open = -1
		}
	}
	return -1, -1, ""
}

// bad is the sentence for a value that does not parse.
func (c *Conf) bad(key, value, expected string) error {
	return fmt.Errorf("hadoop configuration: %s is %q (%s), expected %s", key, value, c.Source(key), expected)
}
