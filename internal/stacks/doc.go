// Package stacks is a driver: the stacks of this process's goroutines as text, for the thread dumps of REST.
package stacks
