// Package yarnpb is vocabulary: YARN's records, the requests and answers of its three protocols, and the identifiers in its
// tokens, as far as Weft uses them. See package hadoopproto for how they relate to Hadoop's own.
package yarnpb
