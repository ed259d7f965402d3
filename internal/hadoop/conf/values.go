package hadoopconf

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// GetInt gives key as an integer (decimal, or hexadecimal with 0x), def when it is not set or empty. The error names the
// key, its value and the file.
func (c *Conf) GetInt(key string, def int) (int, error) {
	v, ok := c.Lookup(key)
	if !ok || v == "" {
		return def, nil
	}
	n, err := parseInteger(v)
	if err != nil || n > math.MaxInt || n < math.MinInt {
		return def, c.bad(key, v, "an integer")
	}
	return int(n), nil
}

func parseInteger(v string) (int64, error) {
	digits, neg := strings.CutPrefix(v, "-")
	if hex, ok := strings.CutPrefix(strings.ToLower(digits), "0x"); ok {
		if neg {
			hex = "-" + hex
		}
		return strconv.ParseInt(hex, 16, 64)
	}
	return strconv.ParseInt(v, 10, 64)
}

// GetBool gives key as a boolean. As in Hadoop anything but true and false (in any case) counts as not set.
func (c *Conf) GetBool(key string, def bool) bool {
	switch strings.ToLower(c.Get(key)) {
	case "true":
		return true
	case "false":
		return false
	}
	return def
}

// GetFloat gives key as a floating-point number, def when it is not set or empty.
func (c *Conf) GetFloat(key string, def float64) (float64, error) {
	v, ok := c.Lookup(key)
	if !ok || v == "" {
		return def, nil
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return def, c.bad(key, v, "a number")
	}
	return f, nil
}

// GetStrings gives the comma-separated values of key, trimmed, empty ones left out.
func (c *Conf) GetStrings(key string) []string {
	var out []string
	for _, s := range strings.Split(c.Get(key), ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// durationSuffixes are Hadoop's, longest first so that "ms" is not read as "s".
var durationSuffixes = []struct {
	suffix string
	unit   time.Duration
}{
	{"ns", time.Nanosecond}, {"us", time.Microsecond}, {"ms", time.Millisecond},
	{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour},
}

// GetDuration gives key as a duration: a number with one of Hadoop's suffixes ns, us, ms, s, m, h, d, or a bare number in
// unit (the unit that the key's documentation names, milliseconds for most). def when it is not set or empty. What does not
// fit in a time.Duration becomes the longest (or, negative, the shortest) duration.
func (c *Conf) GetDuration(key string, def, unit time.Duration) (time.Duration, error) {
	v, ok := c.Lookup(key)
	if !ok || v == "" {
		return def, nil
	}
	number := strings.ToLower(v)
	for _, s := range durationSuffixes {
		if rest, ok := strings.CutSuffix(number, s.suffix); ok {
			number, unit = rest, s.unit
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil {
		return def, c.bad(key, v, "a duration such as 10s, 5m, or a plain number")
	}
	return saturate(n, unit), nil
}

func saturate(n int64, unit time.Duration) time.Duration {
	if n > math.MaxInt64/int64(unit) {
		return math.MaxInt64
	}
	if n < math.MinInt64/int64(unit) {
		return math.MinInt64
	}
	return time.Duration(n) * unit
}

// GetSize gives key as a number of bytes: a number with one of Hadoop's binary suffixes k, m, g, t, p, e, or a bare number.
func (c *Conf) GetSize(key string, def int64) (int64, error) {
	v, ok := c.Lookup(key)
	if !ok || v == "" {
		return def, nil
	}
	number, shift := strings.ToLower(v), 0
	for i, suffix := range []string{"k", "m", "g", "t", "p", "e"} {
		if rest, ok := strings.CutSuffix(number, suffix); ok {
			number, shift = strings.TrimSpace(rest), 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n > math.MaxInt64>>shift || n < math.MinInt64>>shift {
		return def, c.bad(key, v, "a number of bytes such as 64m, or a plain number")
	}
	return n << shift, nil
}
