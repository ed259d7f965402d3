// Package codec is core: it turns typed values into bytes and back, clones them, and encodes keys, by functions that are
// compiled once from the Go type while the graph is built. Nothing here is reflected upon on the record path.
//
// Reading order: Codec and Of (codec.go), compile.go (the compiler), kinds.go (what each kind of type becomes), key.go
// (canonical key encoding and hash; its page is docs/formats/keys.md).
//
// Byte order is little-endian for fixed widths; lengths and counts are unsigned varints. Decoding never panics on
// foreign bytes: it returns ErrCorrupt with the offset.
//
// Ownership: strings that Decode makes are cut from the source string, so one arena serves a whole buffer; a value that
// outlives the buffer's batch is cloned by who keeps it.
package codec
