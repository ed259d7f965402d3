// Package socket is a driver: a source that reads lines from a TCP server.
package socket
