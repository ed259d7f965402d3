package security

import (
	"fmt"
	"slices"
	"strings"
)

// ACL is a list of users and groups as Hadoop writes it: "user1,user2 group1,group2", or "*" for everybody. The zero value names
// nobody.
type ACL struct {
	all           bool
	users, groups []string
}

// ParseACL reads a list. A blank in front leaves the users out (" group1"). More than two words are an error: Hadoop would
// silently drop what follows.
func ParseACL(text string) (ACL, error) {
	if strings.TrimSpace(text) == "*" {
		return ACL{all: true}, nil
	}
	users, groups, _ := strings.Cut(text, " ")
	groups = strings.TrimSpace(groups)
	if strings.ContainsAny(groups, " \t") {
		return ACL{}, fmt.Errorf("the list %q has more than two parts; expected \"user1,user2 group1,group2\": names are separated by commas, users from groups by one blank", text)
	}
	a := ACL{users: names(users), groups: names(groups)}
	// Hadoop takes a star anywhere for everybody.
	a.all = slices.Contains(a.users, "*") || slices.Contains(a.groups, "*")
	return a, nil
}

func names(list string) []string {
	var out []string
	for _, n := range strings.Split(list, ",") {
		if n = strings.TrimSpace(n); n != "" {
			out = append(out, n)
		}
	}
	return out
}

// Union names whom either list names.
func (a ACL) Union(b ACL) ACL {
	merge := func(x, y []string) []string {
		out := slices.Clone(x)
		for _, n := range y {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
		return out
	}
	return ACL{all: a.all || b.all, users: merge(a.users, b.users), groups: merge(a.groups, b.groups)}
}

// String writes the list as Hadoop does; it is empty for one that names nobody.
func (a ACL) String() string {
	switch {
	case a.all:
		return "*"
	case len(a.groups) == 0:
		return strings.Join(a.users, ",")
	}
	return strings.Join(a.users, ",") + " " + strings.Join(a.groups, ",")
}

// All tells a list that names everybody.
func (a ACL) All() bool { return a.all }

// Empty tells a list that names nobody.
func (a ACL) Empty() bool { return !a.all && len(a.users) == 0 && len(a.groups) == 0 }

// Allows tells whether a user is on the list. groups is called only when that depends on the user's groups; its error is given
// back, with false.
func (a ACL) Allows(user string, groups func() ([]string, error)) (bool, error) {
	switch {
	case user == "":
		return false, nil
	case a.all, slices.Contains(a.users, user):
		return true, nil
	case len(a.groups) == 0:
		return false, nil
	}
	of, err := groups()
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(of, func(g string) bool { return slices.Contains(a.groups, g) }), nil
}
