// Package logdir is a driver: it shows the files of a process's log directory, and nothing else, to whoever may ask for a file by
// its name.
package logdir
