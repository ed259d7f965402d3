package config

import (
	"slices"
	"strings"
)

// Alias is another spelling of an option's key.
type Alias struct {
	// Key is the other spelling.
	Key string
	// BareUnit is appended to values that are a bare number: "m" for the old *.heap.mb keys.
	BareUnit string
}

// Definition is what all options have, whatever their type; the reference page is made of it.
type Definition struct {
	// Key is the name in the configuration.
	Key string
	// Type as the reference shows it: Integer, Boolean, Duration, MemorySize, ….
	Type string
	// Default as one would write it; empty for none.
	Default string
	// Unit of a bare number, where that is not obvious from the type.
	Unit string
	// Aliases are old names, accepted with a warning.
	Aliases []Alias
	// Fallbacks are other options' keys whose value holds when this one is not set.
	Fallbacks []string
	// Section groups options on the reference page.
	Section string
	// Doc is a paragraph for the reference.
	Doc string

	check func(text string) error
	// derive gives the value that follows from other keys, where those win over the option's own; nil for most.
	derive func(c *Config) (derived, bool)
}

// derived is a value that follows from other keys; from is the one that decides.
type derived struct{ value, from string }

// Option is one typed option. Declared only in this package.
type Option[T any] struct {
	Definition
	parse func(string) (T, error)
	def   T
	isSet bool
}

// With is an optional part of a declaration.
type with func(*Definition)

func alias(keys ...string) with {
	return func(d *Definition) {
		for _, k := range keys {
			d.Aliases = append(d.Aliases, Alias{Key: k})
		}
	}
}

// aliasMB is an old key whose bare numbers are mebibytes.
func aliasMB(key string) with {
	return func(d *Definition) { d.Aliases = append(d.Aliases, Alias{Key: key, BareUnit: "m"}) }
}

func fallback(keys ...string) with {
	return func(d *Definition) { d.Fallbacks = append(d.Fallbacks, keys...) }
}

func derive(f func(*Config) (derived, bool)) with {
	return func(d *Definition) { d.derive = f }
}

func unit(u string) with { return func(d *Definition) { d.Unit = u } }

// table holds every declaration in order; it is complete and constant once the package is initialised.
var table []*Definition

// declare makes an option. A default that does not parse is a bug, found by the package's tests.
func declare[T any](typeName string, parse func(string) (T, error), section, key, def, doc string, parts ...with) *Option[T] {
	o := &Option[T]{
		Definition: Definition{Key: key, Type: typeName, Default: def, Section: section, Doc: doc},
		parse:      parse,
	}
	o.check = func(text string) error {
		_, err := parse(text)
		return err
	}
	for _, p := range parts {
		p(&o.Definition)
	}
	if def != "" {
		if v, err := parse(def); err == nil {
			o.def, o.isSet = v, true
		}
	}
	table = append(table, &o.Definition)
	return o
}

// Options lists all declarations, sorted by key.
func Options() []Definition {
	out := make([]Definition, 0, len(table))
	for _, d := range table {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b Definition) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// find looks a key up among the declarations; a is set when the key is an alias.
func find(key string) (d *Definition, a *Alias) {
	for _, d := range table {
		if d.Key == key {
			return d, nil
		}
	}
	for _, d := range table {
		for i := range d.Aliases {
			if d.Aliases[i].Key == key {
				return d, &d.Aliases[i]
			}
		}
	}
	return nil, nil
}

// inFamily tells whether key belongs to a family of free names.
func inFamily(key string) bool {
	return slices.ContainsFunc(families, func(f family) bool { return strings.HasPrefix(key, f.prefix) })
}
