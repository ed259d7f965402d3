package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/weft-project/weft/codec"
)

// Part is one named piece of keyed state that is written and read a key group at a time.
type Part interface {
	// Name within its operator.
	Name() string
	// Snapshot appends the entries of a key group.
	Snapshot(group int, dst []byte) []byte
	// Restore takes what Snapshot has written.
	Restore(group int, src string) error
	// Len is the number of entries of all key groups.
	Len() int
}

// Groups are the key groups that a subtask owns, of max in all.
type Groups struct{ First, End, Max int }

// GroupsOf are the groups of one subtask of parallelism.
func GroupsOf(maxParallelism, parallelism, subtask int) Groups {
	g := Groups{First: maxParallelism, End: maxParallelism, Max: maxParallelism}
	for i := maxParallelism - 1; i >= 0; i-- {
		switch s := codec.SubtaskOf(i, maxParallelism, parallelism); {
		case s == subtask:
			g.First = i
		case s > subtask:
			g.End, g.First = i, i
		}
	}
	return g
}

// Keyed is the keyed state of one operator's subtask: the current key, and the parts registered with it.
type Keyed[K comparable] struct {
	key   K
	hash  uint64
	group int // from Groups.First

	groups  Groups
	hasher  func(K) uint64
	typ     *codec.Key[K]
	keepKey func(*K)
	enc     func([]byte, *K) []byte
	dec     func(string, int, *K) (int, error)
	parts   map[string]Part
	// Now is the processing time in milliseconds, for expiry; nil where nothing expires.
	Now func() int64
}

// NewKeyed makes it without parts.
func NewKeyed[K comparable](key *codec.Key[K], groups Groups) (*Keyed[K], error) {
	kc, err := codec.Of[K]()
	if err != nil {
		return nil, err
	}
	return &Keyed[K]{groups: groups, hasher: key.Hasher(), typ: key, keepKey: kc.Keeper(), enc: kc.Encoder(), dec: kc.Decoder(), parts: map[string]Part{}}, nil
}

// SetKey makes key the current one.
func (k *Keyed[K]) SetKey(key K, hash uint64) {
	k.key, k.hash = key, hash
	k.group = codec.KeyGroup(hash, k.groups.Max) - k.groups.First
}

// Key is the current key.
func (k *Keyed[K]) Key() K { return k.key }

// Hash is the current key's.
func (k *Keyed[K]) Hash() uint64 { return k.hash }

// HashOf is the hash of any key.
func (k *Keyed[K]) HashOf(key K) uint64 { return k.hasher(key) }

// Keep makes a key fit to be kept.
func (k *Keyed[K]) Keep() func(*K) { return k.keepKey }

// Groups are the key groups owned.
func (k *Keyed[K]) Groups() Groups { return k.groups }

// Register adds a part; a name is used once.
func (k *Keyed[K]) Register(p Part) error {
	if k.parts[p.Name()] != nil {
		return fmt.Errorf("state %q is declared twice in one operator", p.Name())
	}
	k.parts[p.Name()] = p
	return nil
}

// Parts gives the parts by name, sorted.
func (k *Keyed[K]) Parts() []Part {
	var all []Part
	for _, p := range k.parts {
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name() < all[j].Name() })
	return all
}

// Snapshot writes all parts of one key group.
func (k *Keyed[K]) Snapshot(group int) map[string][]byte {
	out := map[string][]byte{}
	for name, p := range k.parts {
		out[name] = p.Snapshot(group, nil)
	}
	return out
}

// Restore reads all parts of one key group; bytes of a part that was not declared are refused.
func (k *Keyed[K]) Restore(group int, parts map[string][]byte) error {
	for name, b := range parts {
		p := k.parts[name]
		if p == nil {
			return fmt.Errorf("state %q was stored and is not declared any more", name)
		}
		if err := p.Restore(group, string(b)); err != nil {
			return fmt.Errorf("state %q, key group %d: %w", name, group, err)
		}
	}
	return nil
}

// formatVersion is the first byte of a key group of a part.
const formatVersion = 1

// errFormat: the bytes were not written by Snapshot.
var errFormat = errors.New("not a snapshot of this version")

// tables is a table for each key group, and how its values are written.
type tables[K comparable, V any] struct {
	k      *Keyed[K]
	name   string
	groups []*Table[K, V]
	encode func(dst []byte, v *V) []byte
	decode func(src string, pos int, v *V) (int, error)
	// clone is what a value needs that is changed while its copy is read.
	clone cloner[V]
	// restored is told of each entry read; nil where there is nothing to do.
	restored func(group int, key *K)
}

func newTables[V any, K comparable](k *Keyed[K], name string) tables[K, V] {
	return tables[K, V]{k: k, name: name, groups: make([]*Table[K, V], k.groups.End-k.groups.First)}
}

// get finds the current key's value, to be changed, or nil.
func (t *tables[K, V]) get() *V {
	if g := t.groups[t.k.group]; g != nil {
		return g.Get(t.k.key, t.k.hash)
	}
	return nil
}

// look finds the current key's value, to be read, or nil.
func (t *tables[K, V]) look() *V {
	if g := t.groups[t.k.group]; g != nil {
		return g.Look(t.k.key, t.k.hash)
	}
	return nil
}

// give finds the current key's value, to be given to the author's function as a copy, or nil: what the copy refers to may be changed.
func (t *tables[K, V]) give() *V {
	if t.clone == nil {
		return t.look()
	}
	return t.get()
}

// at finds or makes it.
func (t *tables[K, V]) at() (*V, bool) { return t.table(t.k.group).At(t.k.key, t.k.hash) }

// place finds or makes it, to be overwritten as a whole.
func (t *tables[K, V]) place() *V { return t.table(t.k.group).place(t.k.key, t.k.hash) }

func (t *tables[K, V]) table(group int) *Table[K, V] {
	g := t.groups[group]
	if g == nil {
		g = NewTable[K, V](t.k.keepKey, t.k.hasher)
		t.groups[group] = g
	}
	return g
}

func (t *tables[K, V]) delete() bool {
	if g := t.groups[t.k.group]; g != nil {
		return g.Delete(t.k.key, t.k.hash)
	}
	return false
}

// Name is Part's.
func (t *tables[K, V]) Name() string { return t.name }

// Len is Part's.
func (t *tables[K, V]) Len() int {
	n := 0
	for _, g := range t.groups {
		if g != nil {
			n += g.Len()
		}
	}
	return n
}

// Snapshot is Part's.
func (t *tables[K, V]) Snapshot(group int, dst []byte) []byte {
	return t.append(dst, t.groups[group-t.k.groups.First])
}

// append writes a key group's entries.
func (t *tables[K, V]) append(dst []byte, g *Table[K, V]) []byte {
	dst = append(dst, formatVersion)
	if g == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(g.Len()))
	g.read(func(key *K, v *V) { dst = t.encode(t.k.enc(dst, key), v) })
	return dst
}

// Restore is Part's.
func (t *tables[K, V]) Restore(group int, src string) error {
	n, pos, err := header(src)
	if err != nil {
		return err
	}
	if n > uint64(len(src)-pos)+1 { // entries take a byte at least, but for the only one of a key without bytes
		return errFormat
	}
	g := t.table(group - t.k.groups.First)
	for range n {
		var key K
		if pos, err = t.k.dec(src, pos, &key); err != nil {
			return err
		}
		v, _ := g.At(key, t.k.hasher(key))
		if pos, err = t.decode(src, pos, v); err != nil {
			return err
		}
		if t.restored != nil {
			t.restored(group-t.k.groups.First, &key)
		}
	}
	return nil
}

// header reads version and count.
func header(src string) (count uint64, pos int, err error) {
	if src == "" || src[0] != formatVersion {
		return 0, 0, errFormat
	}
	n, used := binary.Uvarint([]byte(src[1:min(len(src), 12)]))
	if used <= 0 {
		return 0, 0, errFormat
	}
	return n, 1 + used, nil
}
