package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/weft-project/weft/ha"
)

// Admin looks after all clusters below the root. It implements ha.Admin.
type Admin struct{ s *Store }

var _ ha.Admin = (*Admin)(nil)

// OpenAdmin connects to all clusters; Options.Cluster is not looked at.
func OpenAdmin(o Options) (*Admin, error) {
	o.Cluster = "admin" // no entry of it is made or read
	s, err := Open(o)
	if err != nil {
		return nil, err
	}
	return &Admin{s}, nil
}

// Close is ha.Admin's.
func (a *Admin) Close() error { return a.s.Close() }

// depth is how many parts a cluster's id may have.
const depth = 8

// Clusters is ha.Admin's.
func (a *Admin) Clusters(ctx context.Context) ([]ha.Cluster, error) {
	return read(ctx, a.s, a.s.o.Root, func(c client) ([]ha.Cluster, error) {
		found, err := clusters(c, a.s.o.Root, "", depth)
		slices.SortFunc(found, func(x, y ha.Cluster) int { return strings.Compare(x.ID, y.ID) })
		return found, err
	})
}

// clusters finds the clusters at and below a node.
func clusters(c client, root, name string, deep int) (found []ha.Cluster, err error) {
	names, err := childrenOf(c, path.Join(root, name))
	if err != nil {
		return nil, err
	}
	if name != "" && slices.ContainsFunc(names, isEntry) {
		one, err := describe(c, root, name, names)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	for _, n := range names {
		if deep == 0 || isEntry(n) || name == "" && root == "/" && n == "zookeeper" {
			continue
		}
		below, err := clusters(c, root, path.Join(name, n), deep-1)
		if err != nil {
			return nil, err
		}
		found = append(found, below...)
	}
	return found, nil
}

// isEntry tells the nodes that a cluster's node has.
func isEntry(name string) bool {
	return name == "epoch" || name == "latch" || name == "leader" || slices.Contains(ha.Kinds, ha.Kind(name))
}

// describe reads what there is to say of a cluster.
func describe(c client, root, name string, entries []string) (ha.Cluster, error) {
	out := ha.Cluster{ID: name}
	base := path.Join(root, name)
	for _, e := range entries {
		data, stat, err := c.Get(path.Join(base, e))
		if errors.Is(err, zk.ErrNoNode) {
			continue
		}
		if err != nil {
			return out, err
		}
		n := int(stat.NumChildren)
		switch e {
		case "epoch":
			out.Changed = time.UnixMilli(stat.Mtime)
		case "latch":
			out.Live = n > 0
		case "leader":
			if out.Leader, err = ha.DecodeRecord[ha.Leader](data); err != nil {
				return out, fmt.Errorf("%s: %w", path.Join(base, e), err)
			}
		case string(ha.Graph):
			out.Graphs = n
		case string(ha.Checkpoint):
			out.Checkpoints = n
		case string(ha.Result):
			out.Results = n
		}
	}
	return out, nil
}

// Remove is ha.Admin's. The epoch goes first: whoever leads all the same is fenced from then on.
func (a *Admin) Remove(ctx context.Context, cluster string, force bool) error {
	name, err := ha.CleanClusterID(cluster)
	if err != nil {
		return err
	}
	base := path.Join(a.s.o.Root, name)
	_, err = read(ctx, a.s, base, func(c client) (bool, error) {
		entries, err := childrenOf(c, base)
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(entries, isEntry) {
			return false, ha.ErrNotFound
		}
		info, err := describe(c, a.s.o.Root, name, entries)
		if err != nil {
			return false, err
		}
		if info.Live && !force {
			return false, ha.ErrLed
		}
		for _, e := range []string{"epoch", "latch", "leader", string(ha.Graph), string(ha.Checkpoint), string(ha.Result)} {
			if err := removeTree(c, path.Join(base, e)); err != nil {
				return false, err
			}
		}
		return true, removeEmpty(c, a.s.o.Root, base)
	})
	if err != nil {
		return fmt.Errorf("cluster %s: %w", name, err)
	}
	o := a.s.o
	o.Cluster = name
	return o.sweepAll(ctx)
}

// removeTree removes a node and all below it.
func removeTree(c client, p string) error {
	names, err := childrenOf(c, p)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := removeTree(c, path.Join(p, n)); err != nil {
			return err
		}
	}
	return missingIsFine(c.Delete(p, -1))
}

// removeEmpty removes a cluster's empty nodes and those above it, up to the root, which stays.
func removeEmpty(c client, root, base string) error {
	for _, n := range []string{"latch", string(ha.Graph), string(ha.Checkpoint), string(ha.Result)} {
		if err := missingIsFine(c.Delete(path.Join(base, n), -1)); err != nil && !errors.Is(err, zk.ErrNotEmpty) {
			return err
		}
	}
	for p := base; p != root && p != "/"; p = path.Dir(p) {
		switch err := c.Delete(p, -1); {
		case errors.Is(err, zk.ErrNotEmpty):
			return nil
		case missingIsFine(err) != nil:
			return err
		}
	}
	return nil
}
