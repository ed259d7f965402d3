// Package window is a driver: the operators that gather the records of a key by windows.
//
// aligned.go is for tumbling and sliding windows that fire once when they end: the usual case. Records go into panes, the
// time that windows have in common, each a table from keys to accumulators of its own; a window that ends joins its panes
// and emits all keys, without a timer for any of them. general.go is for everything else: sessions, global windows,
// triggers; each key has a list of its windows. trigger.go has the triggers.
package window
