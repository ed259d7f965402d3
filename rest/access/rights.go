package access

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

// GroupSource tells the groups of users; the file system that is HDFS does.
type GroupSource interface {
	Groups(ctx context.Context, user string) ([]string, error)
}

// Rights says what users may do with the application, for rest. Owner and administrators may do all.
type Rights struct {
	owner string
	// open lets everybody look: a cluster without Kerberos and without ACLs, which shows all to all itself.
	open                 bool
	view, modify, admins security.ACL
	source               GroupSource // nil where nothing tells groups
	now                  func() time.Time

	mu     sync.Mutex
	groups map[string]knownGroups
}

type knownGroups struct {
	names []string
	until time.Time
}

// New reads who may what; source may be nil. YARN checks the same lists (ApplicationACLs of the containers) before it shows the application in
// its own pages, or kills it.
func New(c *config.Config, hadoop *hadoopconf.Conf, owner string, source GroupSource) (*Rights, error) {
	r := &Rights{owner: owner, source: source, now: time.Now, groups: map[string]knownGroups{}}
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
	// Where callers show tickets, a name tells something; who was not named is not let in.
	r.open = !hadoop.Secure() && !Tickets(c) && !hadoop.GetBool("yarn.acl.enable", false) && r.view.Empty()
	return r, nil
}

// ForYARN gives the lists as YARN gets them with the application: who may modify may view, which YARN does not conclude by itself.
func ForYARN(c *config.Config) (view, modify string, err error) {
	var lists [2]security.ACL
	for i, o := range []*config.Option[string]{config.ViewACLs, config.ModifyACLs} {
		if lists[i], err = security.ParseACL(config.Get(c, o)); err != nil {
			return "", "", fmt.Errorf("%s: %w", o.Key, err)
		}
	}
	return lists[0].Union(lists[1]).String(), lists[1].String(), nil
}

// Rights is rest.Authoriser's.
func (r *Rights) Rights(ctx context.Context, user string) (rest.Rights, error) {
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
func (r *Rights) groupsOf(ctx context.Context, user string) ([]string, error) {
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

// GroupsFrom finds who tells groups: the file system of a path, where it is HDFS, else nobody.
func GroupsFrom(files *fs.Registry, path string) GroupSource {
	store, _, err := files.Get(path)
	if err != nil {
		return nil
	}
	source, _ := store.(GroupSource)
	return source
}
