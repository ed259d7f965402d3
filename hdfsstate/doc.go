// Package hdfsstate is a driver: what Weft keeps in the cluster's file system (HDFS, or any store behind internal/fs). These
// are the files of applications (dir.go, sweep.go, scratch.go): content-addressed blobs, references that keep them, and each application's
// private directory; and checkpoints and savepoints (docs/formats/checkpoint.md): the directory of a job's (checkpoints.go,
// cleanup.go), state files (statefile.go), savepoints (savepoint.go).
//
// Layout below the .weft directory of a user (docs/formats/layout.md):
//
//	blobs/<sha256>            immutable content, shared by all applications of the user
//	blobs/<sha256>.swept      put aside by a clean-up, for the moment until it is removed or put back
//	refs/<applicationId>/<sha256>   empty files: the application uses the blob
//	staging/<applicationId>/  private to one application: configuration and secret
package hdfsstate
