// Package token is vocabulary: Hadoop's security tokens and the file in which they are handed to a process.
//
// The file (HADOOP_TOKEN_FILE_LOCATION, and the tokens field of a container's launch context) follows Hadoop's
// security.Credentials: the bytes "HDTS", a format byte, then for format 0 (Writable)
//
//	VInt n, n × { Text alias, VInt length + identifier, VInt length + password, Text kind, Text service },
//	VInt m, m × { Text alias, VInt length + secret }
//
// where VInt is Hadoop's zero-compressed integer (WritableUtils) and Text a VInt length with UTF-8 bytes; or for format 1 one
// varint-delimited CredentialsProto. Hadoop writes format 0, and so do we unless asked.
package token
