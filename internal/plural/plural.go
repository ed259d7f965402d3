package plural

import "fmt"

// Of is "1 slot", "2 slots", where the many have an s.
func Of(n int, one string) string { return Words(n, one, one+"s") }

// Words is a number with what stands after it: after 1, or after any other.
func Words(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
