// Package delay is core: the pause between two attempts, which the end of a context cuts short.
package delay
