// Package hadoopproto is vocabulary: the folder of the Hadoop messages that Weft speaks, as .proto files of our own.
//
// The proto packages (weft.hadoop.…) and file paths differ from Hadoop's on purpose, so that the generated code can be linked
// beside another copy of Hadoop's messages; the wire format knows neither. Names drop Hadoop's suffix Proto, fields are in
// snake case; numbers, types and labels are checked against the descriptors of Hadoop 3.4.2 recorded in testdata.
package hadoopproto
