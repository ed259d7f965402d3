// Package site is a driver: it opens the high-availability store that a configuration names.
package site
