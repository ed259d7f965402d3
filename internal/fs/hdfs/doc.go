// Package hdfs is a driver: the FileSystem of HDFS (scheme hdfs).
//
// What concerns names (stat, list, rename, …) are remote calls of our own, through internal/hadoop/rpc. File contents go
// through github.com/colinmarc/hdfs: every open file has a library client of its own, whose connection to the NameNode is
// not a connection but nameNodeConn: it takes the library's requests apart and makes them over our RPC client, so that
// tokens, request wrapping, failover, retries, time limits and cancelling are the same for both. Connections to DataNodes
// are dialled here (dataConn), so that each read and each write on them has a time limit and ends with the file's context; they authenticate and encrypt here, too.
//
// Rules, each the cure of something that the library does not do:
//
//   - H1. A Writer is one attempt. After the first error nothing is sent that could complete the file: the library's Close is
//     called at most once more, with every remote call refused, to end its goroutines. The file is deleted by its inode
//     number, so that a file which meanwhile took the name is left alone.
//   - H2. "Replication in progress" counts only on an error-free first close; it is asked again until the NameNode has completed
//     the file or the time is up, which is an error.
//   - H3. A failed connection of a Writer takes further writes and forgets them, but gives an error to every read: the last
//     acknowledgement can then never arrive, and no goroutine of the library stays behind.
//   - H4. A Reader never uses the library's forward skip (2.4.0 loses count of its offset in it): short ways are read over,
//     long ones make a new connection. A failed read is repeated with fresh block locations, for the same inode only.
//   - H5. Encryption zones and erasure coding are refused by what the NameNode says of the file, or of the new file's directory.
package hdfs
