package state

import "github.com/weft-project/weft/codec"

// entryCodec is what the entries of a map need: hashes and copies in memory, bytes in snapshots.
type entryCodec[U comparable, V any] struct {
	hash  func(U) uint64
	keepU func(*U)
	keepV func(*V)
	encU  func([]byte, *U) []byte
	encV  func([]byte, *V) []byte
	decU  func(string, int, *U) (int, error)
	decV  func(string, int, *V) (int, error)
	clone cloner[V]
}

// get finds a value that is given away as a copy.
func (e *entryCodec[U, V]) get(t *Table[U, V], u U) *V {
	if e.clone == nil {
		return t.Look(u, e.hash(u))
	}
	return t.Get(u, e.hash(u))
}

// nth is an entry that is given away as a copy.
func (e *entryCodec[U, V]) nth(t *Table[U, V], n int) (*U, *V) {
	if e.clone == nil {
		one := t.entry(n)
		return &one.key, &one.val
	}
	return t.Nth(n)
}

func entriesOf[U comparable, V any]() (e entryCodec[U, V], err error) {
	key, err := codec.KeyOf[U]()
	if err != nil {
		return e, err
	}
	u, err := codec.Of[U]()
	if err != nil {
		return e, err
	}
	v, err := codec.Of[V]()
	if err != nil {
		return e, err
	}
	return entryCodec[U, V]{key.Hasher(), u.Keeper(), v.Keeper(), u.Encoder(), v.Encoder(), u.Decoder(), v.Decoder(), cloning(v.Cloner())}, nil
}
