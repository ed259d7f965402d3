package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/config"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/rest"
)

// registry tells groups, and counts how often it is asked.
type registry struct {
	groups map[string][]string
	err    error
	asked  int
}

func (g *registry) Groups(_ context.Context, user string) ([]string, error) {
	g.asked++
	return g.groups[user], g.err
}

func rightsOf(t *testing.T, source GroupSource, hadoop map[string]string, keys ...string) *Rights {
	t.Helper()
	c, h := config.New(), hadoopconf.New(nil)
	for i := 0; i+1 < len(keys); i += 2 {
		c.Set(config.CommandLine, keys[i], keys[i+1], "-D")
	}
	for k, v := range hadoop {
		h.Set(k, v)
	}
	r, err := New(c, h, "owner", source)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRights(t *testing.T) {
	secure := map[string]string{"hadoop.security.authentication": "kerberos"}
	acls := map[string]string{"yarn.acl.enable": "true"}
	none, view, all := rest.Rights{}, rest.Rights{View: true}, rest.Rights{View: true, Modify: true}
	for _, c := range []struct {
		what   string
		hadoop map[string]string
		keys   []string
		want   map[string]rest.Rights
	}{
		{"a cluster without anything", nil, nil, map[string]rest.Rights{"owner": all, "other": view, "dr.who": view}},
		{"a secured cluster", secure, nil, map[string]rest.Rights{"owner": all, "other": none, "dr.who": none, "": none}},
		{"a cluster with ACLs", acls, nil, map[string]rest.Rights{"owner": all, "other": none}},
		{"a list of viewers", nil, []string{"yarn.view.acls", "ada staff"}, map[string]rest.Rights{"owner": all, "other": none, "ada": view, "bob": view, "carl": none}},
		{"everybody views", secure, []string{"yarn.view.acls", "*"}, map[string]rest.Rights{"other": view, "": none}},
		{"a list of modifiers", secure, []string{"yarn.modify.acls", " staff"}, map[string]rest.Rights{"bob": all, "ada": none, "staff": none}},
		{"administrators", map[string]string{"yarn.acl.enable": "true", "yarn.admin.acl": "root ops"}, nil, map[string]rest.Rights{"root": all, "carl": all, "bob": none}},
	} {
		r := rightsOf(t, &registry{groups: map[string][]string{"bob": {"etl", "staff"}, "carl": {"ops"}}}, c.hadoop, c.keys...)
		for user, want := range c.want {
			if got, err := r.Rights(t.Context(), user); err != nil || got != want {
				t.Errorf("%s: %q has %+v, %v; expected %+v", c.what, user, got, err, want)
			}
		}
	}
	if _, err := New(config.New(), hadoopconf.New(nil), "owner", nil); err != nil {
		t.Error(err)
	}
	c := config.New()
	c.Set(config.CommandLine, "yarn.view.acls", "a b c", "-D")
	if _, err := New(c, hadoopconf.New(nil), "owner", nil); err == nil || !strings.Contains(err.Error(), "yarn.view.acls") {
		t.Errorf("a list of three parts: %v", err)
	}
}

// Groups are asked for once in a while, only where they decide, and strangers do not fill the memory.
func TestGroupsAreRemembered(t *testing.T) {
	source := &registry{groups: map[string][]string{"bob": {"staff"}}}
	r := rightsOf(t, source, map[string]string{"yarn.acl.enable": "true"}, "yarn.view.acls", "ada staff")
	now := time.Unix(1000, 0)
	r.now = func() time.Time { return now }
	look := func(user string, view bool) {
		t.Helper()
		if got, err := r.Rights(t.Context(), user); err != nil || got.View != view {
			t.Errorf("%s: %+v, %v", user, got, err)
		}
	}
	for range 3 {
		look("owner", true)
		look("ada", true)
		look("bob", true)
	}
	if source.asked != 1 {
		t.Errorf("asked %d times", source.asked)
	}
	source.groups = nil
	now = now.Add(groupsLife)
	look("bob", false)
	for i := range 3 * mostGroups {
		look(fmt.Sprint("stranger", i), false)
	}
	if len(r.groups) > mostGroups {
		t.Errorf("%d users are kept", len(r.groups))
	}
	source.err = errors.New("the NameNode is away")
	if got, err := r.Rights(t.Context(), "new"); err == nil || got.View {
		t.Errorf("without groups: %+v, %v", got, err)
	}
	look("owner", true)
	look("ada", true)
}

// YARN is told that who may modify may view, in its own way of writing.
func TestListsForYARN(t *testing.T) {
	for _, c := range []struct{ view, modify, wantView, wantModify string }{
		{"", "", "", ""}, {"", "ann", "ann", "ann"}, {"ann,bob staff", "bob,cy ops", "ann,bob,cy staff,ops", "bob,cy ops"},
		{"*", "ann", "*", "ann"}, {"ann", "*", "*", "*"}, {" staff", " staff", " staff", " staff"},
	} {
		conf := config.New()
		conf.Set(config.CommandLine, config.ViewACLs.Key, c.view, "-D")
		conf.Set(config.CommandLine, config.ModifyACLs.Key, c.modify, "-D")
		view, modify, err := ForYARN(conf)
		if err != nil || view != c.wantView || modify != c.wantModify {
			t.Errorf("%+v: %q, %q, %v", c, view, modify, err)
		}
	}
	conf := config.New()
	conf.Set(config.CommandLine, config.ModifyACLs.Key, "ann ops more", "-D")
	if _, _, err := ForYARN(conf); err == nil || !strings.Contains(err.Error(), config.ModifyACLs.Key) {
		t.Error(err)
	}
}
