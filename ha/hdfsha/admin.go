package hdfsha

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/weft-project/weft/ha"
	"github.com/weft-project/weft/internal/fs"
)

// Admin looks after all clusters below a folder. It implements ha.Admin.
type Admin struct{ o Options }

var _ ha.Admin = (*Admin)(nil)

// OpenAdmin looks after the clusters in Options.Dir; Options.Cluster is not looked at.
func OpenAdmin(o Options) *Admin { return &Admin{o.withDefaults()} }

// Close is ha.Admin's.
func (a *Admin) Close() error { return nil }

func (a *Admin) store(cluster string) *Store {
	o := a.o
	o.Cluster = cluster
	return &Store{o: o, base: folder(o.Dir, cluster), ctx: context.Background(), stop: func() {}}
}

// Clusters is ha.Admin's.
func (a *Admin) Clusters(ctx context.Context) ([]ha.Cluster, error) {
	list, err := a.o.Files.List(ctx, a.o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []ha.Cluster
	for _, f := range list {
		name := path.Base(f.Path)
		cluster, err := url.PathUnescape(name)
		if err != nil || !f.IsDir || strings.HasPrefix(name, ".") {
			continue
		}
		c, err := a.describe(ctx, cluster)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone in between
		}
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", cluster, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// describe reads what there is to say of a cluster. Whether it lives is judged by the leader's clock and this one.
func (a *Admin) describe(ctx context.Context, cluster string) (ha.Cluster, error) {
	s, out := a.store(cluster), ha.Cluster{ID: cluster}
	for _, kind := range ha.Kinds {
		jobs, err := s.Jobs(ctx, kind)
		if err != nil {
			return out, err
		}
		for range jobs {
			out.Count(kind)
		}
	}
	l, err := s.Leader(ctx)
	if err != nil && !errors.Is(err, ha.ErrNoLeader) {
		return out, err
	}
	out.Leader = l
	v, err := s.look(ctx)
	if errors.Is(err, errNoFolder) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.Live = !v.free && time.Since(v.alive) < v.lease(a.o.Lease)
	if v.epoch > 0 {
		out.Changed = time.UnixMilli(int64(v.epoch))
	}
	return out, nil
}

// Remove is ha.Admin's. The publishing folder goes first: whoever leads all the same is fenced from then on.
func (a *Admin) Remove(ctx context.Context, cluster string, force bool) error {
	name, err := ha.CleanClusterID(cluster)
	if err != nil {
		return err
	}
	s := a.store(name)
	if _, err := a.o.Files.Stat(ctx, s.base); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cluster %s: %w", name, ha.ErrNotFound)
	} else if err != nil {
		return err
	}
	info, err := a.describe(ctx, name)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", name, err)
	}
	if info.Live && !force {
		return fmt.Errorf("cluster %s: %w", name, ha.ErrLed)
	}
	v, err := s.look(ctx)
	if err != nil && !errors.Is(err, errNoFolder) {
		return fmt.Errorf("cluster %s: %w", name, err)
	}
	gone := ""
	if err == nil {
		if gone, err = asideOf(a.o.Dir, "gone"); err != nil {
			return err
		}
		if err := a.o.Files.Rename(ctx, s.publishing(v.epoch), gone, false); err != nil {
			return fmt.Errorf("cluster %s: take the lead from epoch %d: %w", name, v.epoch, err)
		}
	}
	if err := a.o.Files.Delete(ctx, s.base, true); err != nil {
		return fmt.Errorf("cluster %s: %w", name, err)
	}
	if gone == "" {
		return nil
	}
	return a.o.Files.Delete(ctx, gone, true)
}
