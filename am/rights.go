package am

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/security"
)

const (
	// groupsLife is how long a user's groups are taken from memory, as in Hadoop (hadoop.security.groups.cache.secs).
	groupsLife = 5 * time.Minute
	// groupsPatience bounds one question for groups; somebody waits for a page.
	groupsPatience = 10 * time.Second
	// mostGroups bounds how many users' groups are kept: names come from outside.
	mostGroups = 1000
)

// groupSource tells the groups of users; HDFS does.
type groupSource interface {
	Groups(ctx context.Context, user string) ([]string, error)
}

// rights says what users may do with the application, for rest. Owner and administrators may do all.
type rights struct {
	owner string
	// open lets everybody look: a cluster without Kerberos and without ACLs, which shows all to all itself.
	open                 bool
	view, modify, admins security.ACL
	source               groupSource // nil where nothing tells groups
	now                  func() time.Time

	mu     sync.Mutex
	groups map[string]knownGroups
}

type knownGroups struct {
	names []string
	until time.Time
}

// newRights reads who may what. YARN checks the same lists (ApplicationACLs of the containers) before it shows the application in
// its own pages, or kills it.
func newRights(c *config.Config, hadoop *hadoopconf.Conf, owner string, source groupSource) (*rights, error) {
	r := &rights{owner: owner, source: source, now: time.Now, groups: map[string]knownGroups{}}
	admins := ""
	// YARN's default is everybody; one who relies on it has not named administrators.
	if hadoop.IsSet("yarn.admin.acl") {
		admins = hadoop.Get("yarn.admin.acl")
	}
	for _, list := range []struct {
		to        *security.ACL
		key, text string
	}{
		{&r.view, config.ViewACLs.Key, config.Get(c, config.ViewACLs)},
		{&r.modify, config.ModifyACLs.Key, config.Get(c, config.ModifyACLs)},
		{&r.admins, "yarn.admin.acl", admins},
	} {
		var err error
		if *list.to, err = security.ParseACL(list.text); err != nil {
			return nil, fmt.Errorf("%s: %w", list.key, err)
		}
	}
	r.open = !hadoop.Secure() && !hadoop.GetBool("yarn.acl.enable", false) && r.view.Empty()
	return r, nil
}

// Rights is rest.Authoriser's.
func (r *rights) Rights(ctx context.Context, user string) (rest.Rights, error) {
	if user == r.owner {
		return rest.Rights{View: true, Modify: true}, nil
	}
	groups := func() ([]string, error) { return r.groupsOf(ctx, user) }
	for _, acl := range []security.ACL{r.admins, r.modify} {
		if ok, err := acl.Allows(user, groups); ok || err != nil {
			return rest.Rights{View: ok, Modify: ok}, err
		}
	}
	if r.open {
		return rest.Rights{View: true}, nil
	}
	ok, err := r.view.Allows(user, groups)
	return rest.Rights{View: ok}, err
}

// groupsOf asks for a user's groups, or takes them from memory.
func (r *rights) groupsOf(ctx context.Context, user string) ([]string, error) {
	if r.source == nil {
		return nil, nil
	}
	r.mu.Lock()
	known, ok := r.groups[user]
	r.mu.Unlock()
	if ok && r.now().Before(known.until) {
		return known.names, nil
	}
	// The request that happens to ask may be gone soon; the answer is for all.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupsPatience)
	defer cancel()
	names, err := r.source.Groups(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("the groups of user %.64q: %w", user, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.groups) >= mostGroups {
		clear(r.groups)
	}
	r.groups[user] = knownGroups{names, r.now().Add(groupsLife)}
	return names, nil
}

// rights makes the application's.
func (a *application) rights() (*rights, error) {
	return newRights(a.config, a.hadoop, a.manifest.User, groupsFrom(a.files, a.manifest.Base))
}

// groupsFrom finds who tells groups: the file system that the application's files are in, where it is HDFS.
func groupsFrom(files *fs.Registry, base string) groupSource {
	store, _, err := files.Get(base)
	if err != nil {
		return nil
	}
	source, _ := store.(groupSource)
	return source
}
