// Package socketpair is a driver: the connection between a process and a child that inherits one end of it.
package socketpair
