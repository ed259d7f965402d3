// Package wire is vocabulary: the frames of the plan and worker protocols on an inherited socket: 4 bytes length, big endian, then
// one protobuf message.
package wire
