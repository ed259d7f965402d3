// Package fs is vocabulary: the one small FileSystem contract through which Weft reads and writes HDFS and local files.
//
// Implementations live in sub-packages (local, hdfs, faultfs) and are proven by one conformance suite (fstest), which
// runs on the fake and on the real thing. Only composition roots choose an implementation; everything else takes a
// Registry, which maps a URI's scheme and authority to a FileSystem.
//
// Rules every implementation keeps (DESIGN: HDFS as a protocol store):
//
//   - Create never replaces: of two concurrent creators of one name exactly one wins, the other gets ErrExist.
//   - Rename is one atomic step. Without overwrite an existing target is ErrExist.
//   - A Writer is one attempt: the first error is final; after it Abort is the only useful call, and the file is gone.
//   - What Close has returned nil for is what every later Open reads.
package fs
