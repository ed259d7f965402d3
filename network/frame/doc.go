// Package frame is core: the frames that workers exchange on a data connection, as bytes and back.
//
// The format is described in docs/formats/network.md. Every decoder takes bytes from a peer, returns an error for
// anything malformed, never panics and never allocates more than the bytes it was given.
package frame
