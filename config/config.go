package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Layer orders where values come from; a higher one wins.
type Layer int

// The layers.
const (
	// File is the configuration file.
	File Layer = iota
	// Saved is what a session was started with, from the properties file.
	Saved
	// CommandLine is -D and the options that stand for a key.
	CommandLine
	// Program is what the job's program has set on its execution environment.
	Program
	layers
)

// String names the layer for messages.
func (l Layer) String() string {
	switch l {
	case Saved:
		return "the properties file of the session"
	case CommandLine:
		return "the command line"
	case Program:
		return "the program"
	}
	return "the configuration file"
}

type entry struct {
	value string
	// spelled is the key as it was written, when that was an alias.
	spelled string
	// source says where: "conf/config.yaml, line 12" or "-yjm".
	source string
	// rank orders the spellings of one option: 0 is its own key, n its n-th alias. A lower one wins within a layer.
	rank int
}

// oldKey is an alias that was used.
type oldKey struct{ key, source string }

// Config holds values by key. The zero value is not usable; use New. It is not safe for concurrent writes.
type Config struct {
	layers [layers]map[string]entry
	// old holds the aliases that were used, whether or not their values hold.
	old map[string]oldKey
}

// New gives an empty configuration: every option has its default.
func New() *Config {
	c := &Config{old: map[string]oldKey{}}
	for i := range c.layers {
		c.layers[i] = map[string]entry{}
	}
	return c
}

// FromMap makes a configuration of one layer, such as one that travelled with a job.
func FromMap(values map[string]string) *Config {
	c := New()
	for _, k := range slices.Sorted(maps.Keys(values)) {
		c.Set(File, k, values[k], "")
	}
	return c
}

// Clone gives an independent copy.
func (c *Config) Clone() *Config {
	n := &Config{old: maps.Clone(c.old)}
	for i := range c.layers {
		n.layers[i] = maps.Clone(c.layers[i])
	}
	return n
}

// Set gives key a value in a layer. An alias is stored under the option's own key, unless the layer has that, or an alias that
// comes before it, already. source says where the value was written and may be empty.
func (c *Config) Set(l Layer, key, value, source string) {
	e := entry{value: value, source: source}
	if d, a := find(key); a != nil {
		c.old[key] = oldKey{d.Key, source}
		e.spelled = key
		e.rank = 1 + slices.IndexFunc(d.Aliases, func(x Alias) bool { return x.Key == key })
		if t := strings.TrimSpace(value); a.BareUnit != "" && t != "" && strings.Trim(t, "0123456789") == "" {
			e.value = t + a.BareUnit
		}
		key = d.Key
	}
	if there, ok := c.layers[l][key]; ok && there.rank < e.rank {
		return
	}
	c.layers[l][key] = e
}

// Unset removes key from all layers.
func (c *Config) Unset(key string) {
	for _, l := range c.layers {
		delete(l, key)
	}
	maps.DeleteFunc(c.old, func(_ string, o oldKey) bool { return o.key == key })
}

// Raw gives the text of a key from the highest layer that has it. Fallbacks and defaults are not looked at.
func (c *Config) Raw(key string) (string, bool) {
	e, ok := c.lookup(key)
	return e.value, ok
}

// IsSet tells whether any layer has the key.
func (c *Config) IsSet(key string) bool {
	_, ok := c.lookup(key)
	return ok
}

func (c *Config) lookup(key string) (entry, bool) {
	for i := len(c.layers) - 1; i >= 0; i-- {
		if e, ok := c.layers[i][key]; ok {
			return e, true
		}
	}
	return entry{}, false
}

// Source tells where the value of key was set, for messages.
func (c *Config) Source(key string) string {
	if d, _ := find(key); d != nil && d.derive != nil {
		if r, ok := d.derive(c); ok {
			return fmt.Sprintf("from %s, %s", r.from, c.Source(r.from))
		}
	}
	for i := len(c.layers) - 1; i >= 0; i-- {
		if e, ok := c.layers[i][key]; ok {
			if e.source != "" {
				return e.source
			}
			return Layer(i).String()
		}
	}
	return "default"
}

// Keys lists all keys that have a value, sorted.
func (c *Config) Keys() []string {
	all := map[string]bool{}
	for _, l := range c.layers {
		for k := range l {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Map gives the effective text of every key that has a value.
func (c *Config) Map() map[string]string {
	out := map[string]string{}
	for _, l := range c.layers {
		for k, e := range l {
			out[k] = e.value
		}
	}
	for _, d := range table {
		if d.derive == nil {
			continue
		}
		// Layers are one where this map is read again: what wins now must win then.
		if r, ok := d.derive(c); ok {
			out[d.Key] = r.value
		}
	}
	return out
}

// LayerMap gives the values of one layer.
func (c *Config) LayerMap(l Layer) map[string]string {
	out := map[string]string{}
	for k, e := range c.layers[l] {
		out[k] = e.value
	}
	return out
}

// JobValues gives the values of options that jobs run with, whatever the cluster is configured for besides: what workers,
// which run authors' code, may see of a cluster's configuration.
func (c *Config) JobValues() map[string]string {
	out := map[string]string{}
	for k, v := range c.Map() {
		if d, _ := find(k); d != nil && (d.Section == sectionNetwork || d.Section == sectionExecution || d.Key == managedMemory.Key) {
			out[k] = v
		}
	}
	return out
}

// WithPrefix gives the values of keys that start with prefix, by the rest of their names.
func (c *Config) WithPrefix(prefix string) map[string]string {
	out := map[string]string{}
	for k, v := range c.Map() {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" {
			out[rest] = v
		}
	}
	return out
}

// Get gives the value of an option: its own, else a fallback's, else the default. A value that does not parse counts as
// not set; Check has reported it.
func Get[T any](c *Config, o *Option[T]) T {
	v, _ := Lookup(c, o)
	return v
}

// Lookup is Get and whether the option has a value at all, a default counted.
func Lookup[T any](c *Config, o *Option[T]) (T, bool) {
	if o.derive != nil {
		if r, ok := o.derive(c); ok {
			if v, err := o.parse(r.value); err == nil {
				return v, true
			}
		}
	}
	for _, key := range append([]string{o.Key}, o.Fallbacks...) {
		if e, ok := c.lookup(key); ok {
			if v, err := o.parse(e.value); err == nil {
				return v, true
			}
		}
	}
	return o.def, o.isSet
}

// Check reports every value that does not fit its option, in one error, sorted by key.
func (c *Config) Check() error {
	var all []error
	for _, key := range c.Keys() {
		d, _ := find(key)
		if d == nil {
			continue
		}
		e, _ := c.lookup(key)
		if err := d.check(e.value); err != nil {
			name := key
			if e.spelled != "" {
				name = e.spelled
			}
			all = append(all, fmt.Errorf("%s (%s): %w", name, c.Source(key), err))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("configuration: %w", errors.Join(all...))
}
