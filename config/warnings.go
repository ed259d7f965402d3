package config

import (
	_ "embed"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// flinkKeysText lists the keys of Flink 1.6 to 2.2 with their old names, one key a line.
//
//go:embed flinkkeys.txt
var flinkKeysText string

// flinkKeys gives all keys of Flink that stand in flinkkeys.txt, old names too.
var flinkKeys = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(flinkKeysText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, k := range strings.Fields(line) {
			out[strings.TrimSuffix(k, "?")] = true
		}
	}
	return out
})

// Warnings says what is odd but no error: old names, unknown keys that are nearly a known one, and, in one sentence, keys of
// Flink that do nothing here.
func (c *Config) Warnings() []string {
	var out, idle []string
	for _, spelled := range slices.Sorted(maps.Keys(c.old)) {
		o := c.old[spelled]
		source := o.source
		if source == "" {
			source = "old"
		}
		text := fmt.Sprintf("configuration key %s (%s) is an old name, use %s", spelled, source, o.key)
		if e, ok := c.lookup(o.key); ok && e.spelled != spelled {
			holds := e.spelled
			if holds == "" {
				holds = o.key
			}
			text += fmt.Sprintf("; it is not used, since %s (%s) is set too", holds, c.Source(o.key))
		}
		out = append(out, text)
	}
	for _, key := range c.Keys() {
		switch {
		case key == HAType.Key && Get(c, HAType) != HANone:
			idle = append(idle, key) // JobManagers have no store yet
		case known(key) || inFamily(key):
		case flinkKeys()[key]:
			idle = append(idle, key)
		default:
			if near := nearest(key); near != "" {
				out = append(out, fmt.Sprintf("configuration key %s (%s) is unknown, did you mean %s?", key, c.Source(key), near))
			}
		}
	}
	if len(idle) > 0 {
		out = append(out, "these configuration keys of Flink do nothing in this release of Weft: "+strings.Join(idle, ", "))
	}
	return out
}

// known tells whether key is an option's, or one that an option falls back to.
func known(key string) bool {
	if d, _ := find(key); d != nil {
		return true
	}
	return slices.ContainsFunc(table, func(d *Definition) bool { return slices.Contains(d.Fallbacks, key) })
}

// letters is a key without what people write one way or the other.
func letters(key string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(key))
}

// shortestEnd is how long the end of a key must be to be taken for the whole.
const shortestEnd = 8

// nearest gives the known key that a misspelling most probably meant, or "".
func nearest(key string) string {
	best, bestDistance := "", 3
	if len(key) > 30 {
		bestDistance++
	}
	var ends []string
	for _, d := range table {
		if letters(d.Key) == letters(key) {
			return d.Key
		}
		if n := distance(strings.ToLower(key), strings.ToLower(d.Key), bestDistance); n < bestDistance {
			best, bestDistance = d.Key, n
		}
		if len(key) >= shortestEnd && strings.HasSuffix(strings.ToLower(d.Key), "."+strings.ToLower(key)) {
			ends = append(ends, d.Key)
		}
	}
	if best == "" && len(ends) == 1 {
		return ends[0]
	}
	if best != "" {
		return best
	}
	return nearFamily(key)
}

// nearFamily looks for a misspelt beginning of keys that end in names of the user's choice.
func nearFamily(key string) string {
	parts := strings.Split(key, ".")
	for _, f := range families {
		n := strings.Count(f.prefix, ".")
		if len(parts) <= n || f.doc == "" {
			continue
		}
		begin := strings.Join(parts[:n], ".") + "."
		if n := distance(strings.ToLower(begin), f.prefix, 3); n > 0 && n < 3 && len(f.prefix) > 10 {
			return f.prefix + key[len(begin):]
		}
	}
	return ""
}

// Nearest gives the one of the known words that a misspelling most probably meant, or "": two letters may be wrong, of short
// words one.
func Nearest(word string, known iter.Seq[string]) string {
	best, bestDistance := "", 3
	if len(word) < 6 {
		bestDistance = 2
	}
	for k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k), bestDistance); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours between two texts; limit or more
// is given as limit.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	next := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		low := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
			low = min(low, next[j])
		}
		if low >= limit {
			return limit
		}
		before, row, next = row, next, before
	}
	return min(row[len(b)], limit)
}

// Spelled gives key as it was written where its value comes from: an old name, or key itself.
func (c *Config) Spelled(key string) string {
	if e, ok := c.lookup(key); ok && e.spelled != "" {
		return e.spelled
	}
	return key
}
