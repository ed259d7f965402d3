package main

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/weft-project/weft/config"
)

// option is one option of a command. It may be written with one dash or two, whatever its length.
type option struct {
	// names without dashes, the short one first.
	names []string
	// arg names the value in the help; empty for a switch.
	arg string
	doc string
	// hidden options are accepted and not shown: old names.
	hidden bool
	// note is said when the option is used: it does nothing any more, or something else than it did.
	note string
	// property marks -D and the like: the value may follow without a space (-Dkey=value).
	property bool
	// apply stores the value; empty for a switch.
	apply func(s *settings, value string) error
}

// usageError is a command line that cannot be understood.
type usageError struct {
	command string
	text    string
}

func (e *usageError) Error() string { return e.text }

// occurrence is an option as it was found.
type occurrence struct {
	option *option
	// spelled is how it was written, with dashes.
	spelled string
	value   string
}

// parse reads args by the rules of Commons CLI. With stopAtWord everything from the first word that is no option is left
// untouched in rest; without, words may stand between options. "--" ends the options.
func parse(options []option, args []string, stopAtWord bool) (found []occurrence, rest []string, err error) {
	for len(args) > 0 {
		token := args[0]
		switch {
		case token == "--":
			return found, append(rest, args[1:]...), nil
		case len(token) < 2 || token[0] != '-':
			if stopAtWord {
				return found, append(rest, args...), nil
			}
			rest, args = append(rest, token), args[1:]
		default:
			o, used, err := match(options, args)
			if err != nil {
				return nil, nil, err
			}
			found, args = append(found, o...), args[used:]
		}
	}
	return found, rest, nil
}

// match reads the option that args begins with, or a cluster of one-letter switches, and says how many args it took.
func match(options []option, args []string) (found []occurrence, used int, err error) {
	token := args[0]
	name := strings.TrimPrefix(strings.TrimPrefix(token, "-"), "-")
	double := strings.HasPrefix(token, "--")
	if o := byName(options, name); o != nil {
		return withNext(options, o, args)
	}
	// -Dkey=value and, for those who write it, --Dkey=value.
	if o := byPrefix(options, name); o != nil {
		return []occurrence{{o, token, strings.TrimPrefix(name, o.names[0])}}, 1, nil
	}
	if before, value, ok := strings.Cut(name, "="); ok {
		o := byName(options, before)
		if o == nil && double {
			o = byAbbreviation(options, before)
		}
		if o != nil {
			if o.arg == "" {
				return nil, 0, fmt.Errorf("option %s takes no value, found %q", dashes(token)+before, value)
			}
			return []occurrence{{o, dashes(token) + before, value}}, 1, nil
		}
	}
	if double {
		if o := byAbbreviation(options, name); o != nil {
			return withNext(options, o, args)
		}
		return nil, 0, unknown(options, token)
	}
	return cluster(options, args)
}

func dashes(token string) string {
	if strings.HasPrefix(token, "--") {
		return "--"
	}
	return "-"
}

// withNext takes the value of an option from the next word.
func withNext(options []option, o *option, args []string) ([]occurrence, int, error) {
	if o.arg == "" {
		return []occurrence{{o, args[0], ""}}, 1, nil
	}
	if len(args) < 2 || isOption(options, args[1]) {
		return nil, 0, fmt.Errorf("option %s needs a value: %s <%s>", args[0], args[0], o.arg)
	}
	return []occurrence{{o, args[0], args[1]}}, 2, nil
}

// isOption tells whether a word is exactly a known option, so that it cannot be meant as a value.
func isOption(options []option, word string) bool {
	if len(word) < 2 || word[0] != '-' {
		return false
	}
	return byName(options, strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-")) != nil
}

// cluster reads a value that follows its option without a space (-p4, -jm1024) and one-letter switches written together
// (-dp 4).
func cluster(options []option, args []string) ([]occurrence, int, error) {
	token := args[0]
	for i := len(token) - 1; i > 1; i-- {
		if o := byName(options, token[1:i]); o != nil && o.arg != "" && token[i] >= '0' && token[i] <= '9' {
			return []occurrence{{o, token[:i], token[i:]}}, 1, nil
		}
	}
	var found []occurrence
	for i := 1; i < len(token); i++ {
		o := byName(options, token[i:i+1])
		if o == nil {
			return nil, 0, unknown(options, token)
		}
		if o.arg == "" {
			found = append(found, occurrence{o, "-" + token[i:i+1], ""})
			continue
		}
		if i+1 < len(token) {
			return nil, 0, unknown(options, token)
		}
		last, used, err := withNext(options, o, append([]string{"-" + token[i:]}, args[1:]...))
		return append(found, last...), used, err
	}
	return found, 1, nil
}

func byName(options []option, name string) *option {
	for i := range options {
		if slices.Contains(options[i].names, name) {
			return &options[i]
		}
	}
	return nil
}

func byPrefix(options []option, name string) *option {
	for i := range options {
		if o := &options[i]; o.property && strings.HasPrefix(name, o.names[0]) && len(name) > len(o.names[0]) {
			return o
		}
	}
	return nil
}

// byAbbreviation finds a long name by its beginning when only one option fits.
func byAbbreviation(options []option, name string) *option {
	var found *option
	for i := range options {
		o := &options[i]
		fits := slices.ContainsFunc(o.names, func(n string) bool { return len(n) > 2 && len(name) > 1 && strings.HasPrefix(n, name) })
		if fits && !o.hidden {
			if found != nil {
				return nil
			}
			found = o
		}
	}
	return found
}

// unknown is the error for a word that is no option, with what was perhaps meant.
func unknown(options []option, token string) error {
	name, _, _ := strings.Cut(strings.TrimLeft(token, "-"), "=")
	for _, o := range options {
		for _, n := range o.names {
			if !o.hidden && n == "y"+name {
				// An option of yarn-session.sh.
				return fmt.Errorf("unknown option %s, did you mean -%s?", token, n)
			}
			if !o.hidden && len(n) > 2 && strings.EqualFold(strings.NewReplacer("-", "", "_", "").Replace(n), strings.NewReplacer("-", "", "_", "").Replace(name)) {
				return fmt.Errorf("unknown option %s, did you mean --%s?", token, n)
			}
		}
	}
	if near := config.Nearest(name, longNames(options)); near != "" && len(name) > 3 {
		return fmt.Errorf("unknown option %s, did you mean --%s?", token, near)
	}
	return fmt.Errorf("unknown option %s", token)
}

// longNames are the long names of the options that help shows.
func longNames(options []option) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, o := range options {
			for _, n := range o.names {
				if !o.hidden && len(n) > 3 && !yield(n) {
					return
				}
			}
		}
	}
}
