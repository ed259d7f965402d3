// Package hdfsstate is a driver: what Weft keeps in the cluster's file system (HDFS, or any store behind internal/fs). Today
// these are the files of applications: content-addressed blobs, references that keep them, and each application's private
// directory. Checkpoints, savepoints and job archives will live beside them.
//
// Layout below the .weft directory of a user (docs/formats/layout.md):
//
//	blobs/<sha256>            immutable content, shared by all applications of the user
//	blobs/<sha256>.swept      put aside by a clean-up, for the moment until it is removed or put back
//	refs/<applicationId>/<sha256>   empty files: the application uses the blob
//	staging/<applicationId>/  private to one application: configuration and secret
package hdfsstate
