// Package plural is core: numbers of things, as sentences have them.
package plural
