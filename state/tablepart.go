package state

import (
	"encoding/binary"

	"github.com/weft-project/weft/codec"
)

// TablePart is a Part of a table that holds the entries of all key groups. Snapshot looks through the whole
// table for each group; what is frozen is sorted by group once.
type TablePart[K comparable, V any] struct {
	name  string
	table *Table[K, V]
	max   int // key groups in all
	hash  func(K) uint64
	encK  func([]byte, *K) []byte
	encV  func([]byte, *V) []byte
	decK  func(string, int, *K) (int, error)
	decV  func(string, int, *V) (int, error)
	key   *codec.Key[K]
	clone cloner[V]
}

// NewTablePart makes it; hash is that of the keys.
func NewTablePart[K comparable, V any](name string, table *Table[K, V], maxParallelism int, hash func(K) uint64) (*TablePart[K, V], error) {
	key, err := codec.KeyOf[K]()
	if err != nil {
		return nil, err
	}
	kc, err := codec.Of[K]()
	if err != nil {
		return nil, err
	}
	vc, err := codec.Of[V]()
	if err != nil {
		return nil, err
	}
	return &TablePart[K, V]{name, table, max(1, maxParallelism), hash, kc.Encoder(), vc.Encoder(), kc.Decoder(), vc.Decoder(), key,
		cloning(vc.Cloner())}, nil
}

// Name is Part's.
func (p *TablePart[K, V]) Name() string { return p.name }

// Len is Part's.
func (p *TablePart[K, V]) Len() int { return p.table.Len() }

// Snapshot is Part's.
func (p *TablePart[K, V]) Snapshot(group int, dst []byte) []byte {
	return p.AppendGroup(append(dst, formatVersion), p.table, group)
}

// AppendGroup writes the entries of one key group of a table of the same types.
func (p *TablePart[K, V]) AppendGroup(dst []byte, table *Table[K, V], group int) []byte {
	n := 0
	var body []byte
	table.read(func(k *K, v *V) {
		if codec.KeyGroup(p.hash(*k), p.max) == group {
			body = p.encV(p.encK(body, k), v)
			n++
		}
	})
	return append(binary.AppendUvarint(dst, uint64(n)), body...)
}

// Restore is Part's.
func (p *TablePart[K, V]) Restore(_ int, src string) error {
	if src == "" || src[0] != formatVersion {
		return errFormat
	}
	_, err := p.ReadGroup(src, 1, p.table)
	return err
}

// ReadGroup reads what AppendGroup has written into a table, and gives the position after it.
func (p *TablePart[K, V]) ReadGroup(src string, pos int, table *Table[K, V]) (int, error) {
	return ReadTable(src, pos, table, p.hash, p.decK, p.decV)
}
