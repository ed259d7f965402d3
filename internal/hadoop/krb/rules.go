package krb

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Rules map principals to user names, in Hadoop's syntax (hadoop.security.auth_to_local).
type Rules struct {
	rules        []rule
	defaultRealm string
	// free lets names with / and @ pass (hadoop.security.auth_to_local.mechanism=MIT).
	free bool
}

type rule struct {
	byDefault  bool
	components int
	format     string
	match      *regexp.Regexp // nil: always
	from       *regexp.Regexp // nil: no change
	to         string
	all, lower bool
}

// ruleSyntax is that of Hadoop's KerberosName: RULE:[n:format](match)s/from/to/g/L.
var ruleSyntax = regexp.MustCompile(`^\s*(?:(DEFAULT)|RULE:\[(\d*):([^\]]*)\](?:\(([^)]*)\))?(?:s/([^/]*)/([^/]*)/(g)?)?)/?(L)?`)

// ParseRules reads rules; "" is DEFAULT. mechanism is hadoop.security.auth_to_local.mechanism, "" is hadoop.
func ParseRules(text, mechanism, defaultRealm string) (*Rules, error) {
	r := &Rules{defaultRealm: defaultRealm, free: strings.EqualFold(mechanism, "MIT")}
	if strings.TrimSpace(text) == "" {
		text = "DEFAULT"
	}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		m := ruleSyntax.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("%w: hadoop.security.auth_to_local: %q: expected DEFAULT or RULE:[n:format](match)s/from/to/", ErrConfig, rest)
		}
		one, err := newRule(m)
		if err != nil {
			return nil, fmt.Errorf("%w: hadoop.security.auth_to_local: %q: %w", ErrConfig, m[0], err)
		}
		r.rules = append(r.rules, one)
		rest = rest[len(m[0]):]
	}
	return r, nil
}

func newRule(m []string) (r rule, err error) {
	if m[1] != "" {
		return rule{byDefault: true, lower: m[8] != ""}, nil
	}
	if r.components, err = strconv.Atoi(m[2]); err != nil {
		return r, fmt.Errorf("number of components %q", m[2])
	}
	r.format, r.to, r.all, r.lower = m[3], m[6], m[7] != "", m[8] != ""
	if m[4] != "" {
		if r.match, err = regexp.Compile("^(?:" + m[4] + ")$"); err != nil {
			return r, err
		}
	}
	if m[5] != "" {
		r.from, err = regexp.Compile(m[5])
	}
	return r, err
}

// User gives our user name as the cluster sees it, by the Hadoop configuration's rules; get gives "" for a key that is not set.
func (l *Login) User(get func(key string) string) (string, error) {
	r, err := ParseRules(get("hadoop.security.auth_to_local"), get("hadoop.security.auth_to_local.mechanism"), l.config.DefaultRealm)
	if err != nil {
		return "", err
	}
	return r.Name(l.principal)
}

// Name gives the user name of a principal.
func (r *Rules) Name(p Principal) (string, error) {
	for _, one := range r.rules {
		name, ok := one.apply(p, r.defaultRealm)
		if !ok {
			continue
		}
		if !r.free && strings.ContainsAny(name, "/@") {
			return "", fmt.Errorf("%w: hadoop.security.auth_to_local makes the name %q of %s: expected one without / and @", ErrConfig, name, p)
		}
		return name, nil
	}
	if r.free {
		return p.String(), nil
	}
	return "", fmt.Errorf("%w: no rule of hadoop.security.auth_to_local applies to %s", ErrConfig, p)
}

func (r rule) apply(p Principal, defaultRealm string) (string, bool) {
	name := ""
	switch {
	case r.byDefault:
		if p.Realm != defaultRealm {
			return "", false
		}
		name = p.Components[0]
	case r.components != len(p.Components):
		return "", false
	default:
		name = expand(r.format, p)
		if r.match != nil && !r.match.MatchString(name) {
			return "", false
		}
		name = r.replace(name)
	}
	if r.lower {
		name = strings.ToLower(name)
	}
	return name, true
}

func (r rule) replace(name string) string {
	if r.from == nil {
		return name
	}
	if r.all {
		return r.from.ReplaceAllLiteralString(name, r.to)
	}
	at := r.from.FindStringIndex(name)
	if at == nil {
		return name
	}
	return name[:at[0]] + r.to + name[at[1]:]
}

var parameter = regexp.MustCompile(`\$\d`)

// expand replaces $0 by the realm and $1, $2 by the components.
func expand(format string, p Principal) string {
	return parameter.ReplaceAllStringFunc(format, func(s string) string {
		n := int(s[1] - '0')
		switch {
		case n == 0:
			return p.Realm
		case n <= len(p.Components):
			return p.Components[n-1]
		}
		return ""
	})
}
