package ha

import (
	"slices"
	"strings"
)

// LatchMark stands between the owner's mark and the number of a place in a latch, as Curator writes it.
const LatchMark = "-latch-"

// LatchNumber is the part of a place's name by which places are ordered; "" for names that are none.
func LatchNumber(name string) string {
	if i := strings.LastIndex(name, LatchMark); i >= 0 {
		return name[i+len(LatchMark):]
	}
	return ""
}

// LatchOrder sorts the places of a latch, the leader's first; other names are left out.
func LatchOrder(names []string) []string {
	places := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return LatchNumber(n) == "" })
	slices.SortFunc(places, func(a, b string) int { return strings.Compare(LatchNumber(a), LatchNumber(b)) })
	return places
}

// LatchPlace says what a place in a latch means: it leads, or the place before it is to be watched. ok is false when it is gone.
func LatchPlace(names []string, mine string) (before string, leads, ok bool) {
	order := LatchOrder(names)
	i := slices.Index(order, mine)
	switch {
	case i < 0:
		return "", false, false
	case i == 0:
		return "", true, true
	}
	return order[i-1], false, true
}
