// Package hdfspb is vocabulary: the messages of the NameNode's ClientProtocol and of the opening of a connection to a DataNode,
// as far as Weft uses them. See package hadoopproto for how they relate to Hadoop's own.
package hdfspb
