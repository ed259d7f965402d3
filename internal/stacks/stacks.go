package stacks

import (
	"bytes"
	"runtime"
)

const (
	// first is the size of the first try, most of them need no other.
	first = 256 << 10
	// Max bounds the text, in bytes.
	Max = 4 << 20
)

// All gives the stacks of all goroutines, as runtime.Stack writes them: an empty line between two, "goroutine N [STATE]:" first.
func All() []byte {
	buffer := make([]byte, first)
	n := runtime.Stack(buffer, true)
	for n == len(buffer) && n < Max {
		buffer = make([]byte, 2*len(buffer))
		n = runtime.Stack(buffer, true)
	}
	return bytes.TrimRight(buffer[:n], "\n")
}

// Of says for each goroutine of a text whose it is.
func Of(owner string, text []byte) []byte {
	const header = "goroutine "
	text = bytes.ReplaceAll(text, []byte("\n\n"+header), []byte("\n\n"+owner+": "+header))
	if bytes.HasPrefix(text, []byte(header)) {
		text = append([]byte(owner+": "), text...)
	}
	return text
}
