// Package manifest is core: what a checkpoint or savepoint consists of, and its bytes (docs/formats/checkpoint.md).
//
// Reading order: Manifest and what it holds (manifest.go), the bytes (encode.go, decode.go), the contents of a piece of keyed
// state (group.go).
//
// Every piece of state has a length and a checksum here, so whoever reads state knows whether it is what was written. Names of
// files are relative, so a directory can be moved. Decode never panics on foreign bytes and takes no more memory than they
// have themselves, times a constant.
package manifest
