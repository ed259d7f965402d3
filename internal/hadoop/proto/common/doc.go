// Package commonpb is vocabulary: the messages of Hadoop's RPC header, its SASL negotiation and its security tokens. See
// package hadoopproto for how they relate to Hadoop's own.
package commonpb
