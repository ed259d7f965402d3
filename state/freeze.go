package state

// Frozen is a part as it was at one moment. Any one goroutine may read it while the task goes on.
type Frozen interface {
	// Group appends the entries of a key group, as Part.Snapshot does.
	Group(group int, dst []byte) []byte
	// Release lets go of it; the task does not copy for it any more. Any goroutine may call it, once.
	Release()
}

// Freezer is a Part that is frozen within milliseconds, whatever its size.
type Freezer interface{ Freeze() Frozen }

// Freeze freezes a part of those key groups. What cannot be frozen is copied at once.
func Freeze(p Part, groups Groups) Frozen {
	if f, ok := p.(Freezer); ok {
		return f.Freeze()
	}
	c := copied{first: groups.First}
	for g := groups.First; g < groups.End; g++ {
		c.groups = append(c.groups, p.Snapshot(g, nil))
	}
	return c
}

// copied is a part's bytes.
type copied struct {
	first  int
	groups [][]byte
}

// Group is Frozen's.
func (c copied) Group(group int, dst []byte) []byte { return append(dst, c.groups[group-c.first]...) }

// Release is Frozen's.
func (c copied) Release() {}

// Empty tells that a part's key group has no entry.
func Empty(group []byte) bool { return len(group) == 2 && group[0] == formatVersion && group[1] == 0 }

// Kind says what a part holds, as manifests do.
type Kind uint8

// The kinds.
const (
	// Unknown: bytes that only the operator understands.
	Unknown Kind = iota
	// KeyValues: entries of key and value.
	KeyValues
	// TimerEntries: timers.
	TimerEntries
)

// Description is what is known of a part's types, as package schema writes them; empty where nothing is.
type Description struct {
	Kind       Kind
	Key, Value string
}

// Described is a part that tells its types. Key is empty for operator state.
type Described interface{ Describe() Description }

// Describe gives a part's types.
func Describe(p any) Description {
	if d, ok := p.(Described); ok {
		return d.Describe()
	}
	return Description{}
}
