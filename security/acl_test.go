package security

import (
	"errors"
	"testing"
)

func TestACL(t *testing.T) {
	for _, c := range []struct {
		text, user string
		groups     []string
		want       bool
	}{
		{"", "ada", []string{"staff"}, false},
		{" ", "ada", []string{"staff"}, false},
		{"*", "ada", nil, true},
		{" * ", "ada", nil, true},
		{"*", "", nil, false},
		{"bob,*", "ada", nil, true},
		{"bob *", "ada", nil, true},
		{"ada", "ada", nil, true},
		{"bob,ada staff", "ada", nil, true},
		{"bob staff,etl", "ada", []string{"etl"}, true},
		{"bob staff,etl", "ada", []string{"ops"}, false},
		{" staff", "ada", []string{"staff"}, true},
		{" staff", "staff", nil, false},
		{"adam", "ada", nil, false},
		{"Ada", "ada", nil, false},
		{",", "", nil, false},
	} {
		acl, err := ParseACL(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		got, err := acl.Allows(c.user, func() ([]string, error) { return c.groups, nil })
		if err != nil || got != c.want {
			t.Errorf("%q for %q of %v: %v, %v", c.text, c.user, c.groups, got, err)
		}
	}
	for _, text := range []string{"a b c", "bob, ada staff"} {
		if _, err := ParseACL(text); err == nil {
			t.Errorf("%q has three parts and is taken", text)
		}
	}
}

// Groups are asked for only where they decide, and when they are not known nobody is let in for them.
func TestACLWithoutGroups(t *testing.T) {
	broken := errors.New("the NameNode is away")
	ask := func() ([]string, error) { return nil, broken }
	for text, want := range map[string]error{"ada staff": nil, "*": nil, "bob": nil, "bob staff": broken} {
		acl, err := ParseACL(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := acl.Allows("ada", ask)
		if !errors.Is(err, want) || got && want != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func FuzzACL(f *testing.F) {
	f.Add("a,b c,d", "a")
	f.Add("*", "x")
	f.Fuzz(func(t *testing.T, text, user string) {
		acl, err := ParseACL(text)
		if err != nil {
			return
		}
		if ok, _ := acl.Allows(user, func() ([]string, error) { return nil, nil }); ok && (acl.Empty() || user == "") {
			t.Errorf("%q lets %q in", text, user)
		}
	})
}
