package plural

import "testing"

func TestPlural(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Of(0, "slot"), "0 slots"}, {Of(1, "slot"), "1 slot"}, {Of(2, "slot"), "2 slots"},
		{Words(1, "node does not work", "nodes do not work"), "1 node does not work"}, {Words(3, "node does not work", "nodes do not work"), "3 nodes do not work"},
	} {
		if c.got != c.want {
			t.Errorf("%q, expected %q", c.got, c.want)
		}
	}
}
