// Package codec is core: it turns typed values into bytes and back, clones them, and encodes keys, by functions that are
// compiled once from the Go type while the graph is built. Nothing here is reflected upon on the record path.
//
// Reading order: Codec and Of (codec.go), compile.go (the compiler), kinds.go and slice.go (what each kind of type
// becomes), arena.go (memory of decoded slices), key.go (canonical key encoding and hash; its page is docs/formats/keys.md).
//
// Byte order is little-endian for fixed widths; lengths and counts are unsigned varints. Decoding never panics on
// foreign bytes: it returns ErrCorrupt with the offset.
//
// Ownership: strings that Decode makes are cut from the source string, so one arena serves a whole buffer. Elements of
// slices are cut from chunks of a few batches (arena.go), each slice with no capacity beyond its length, so that append
// never reaches a neighbour's; what was cut is the garbage collector's and never used again. Targets of pointers, maps and
// messages are allocated one by one. A value that outlives the buffer's batch is cloned by who keeps it (Keeper): a kept
// string or slice would hold its neighbours.
//
// Corrupt bytes make Decode allocate no more than bytes of their number could: a slice's count is checked against what the
// elements of all slices under way need at least, before memory is taken.
package codec
