package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// MemorySize is a number of bytes.
type MemorySize int64

// Units of memory.
const (
	KiB MemorySize = 1 << 10
	MiB MemorySize = 1 << 20
	GiB MemorySize = 1 << 30
	TiB MemorySize = 1 << 40
)

// Bytes gives the size in bytes.
func (m MemorySize) Bytes() int64 { return int64(m) }

// MB gives the size in mebibytes, rounded up: what YARN is asked for.
func (m MemorySize) MB() int { return int((m + MiB - 1) / MiB) }

// String writes the size in the largest unit that divides it, such as 1600m.
func (m MemorySize) String() string {
	for _, u := range []struct {
		size   MemorySize
		suffix string
	}{{TiB, "t"}, {GiB, "g"}, {MiB, "m"}, {KiB, "k"}} {
		if m != 0 && m%u.size == 0 {
			return strconv.FormatInt(int64(m/u.size), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(m), 10) + "b"
}

var memoryUnits = map[string]MemorySize{
	"": 1, "b": 1, "bytes": 1,
	"k": KiB, "kb": KiB, "kibibytes": KiB,
	"m": MiB, "mb": MiB, "mebibytes": MiB,
	"g": GiB, "gb": GiB, "gibibytes": GiB,
	"t": TiB, "tb": TiB, "tebibytes": TiB,
}

// ParseMemory reads a memory size as Flink's MemorySize does: a whole number and a unit (b, kb, mb, gb, tb, with or without
// the b, in any case), all binary; without a unit bytes.
func ParseMemory(text string) (MemorySize, error) {
	n, unitText, err := splitNumber(text)
	u, ok := memoryUnits[strings.ToLower(unitText)]
	if err != nil || !ok {
		return 0, fmt.Errorf("%q is not a memory size; expected a whole number and b, kb, mb, gb or tb, such as 1024m", text)
	}
	if n > math.MaxInt64/int64(u) {
		return 0, fmt.Errorf("%q is too large for a memory size", text)
	}
	return MemorySize(n) * u, nil
}

var durationUnits = map[string]time.Duration{
	"":  time.Millisecond,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"h": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"ms": time.Millisecond, "milli": time.Millisecond, "millis": time.Millisecond, "millisecond": time.Millisecond, "milliseconds": time.Millisecond,
	"µs": time.Microsecond, "micro": time.Microsecond, "micros": time.Microsecond, "microsecond": time.Microsecond, "microseconds": time.Microsecond,
	"ns": time.Nanosecond, "nano": time.Nanosecond, "nanos": time.Nanosecond, "nanosecond": time.Nanosecond, "nanoseconds": time.Nanosecond,
}

// ParseDuration reads a duration as Flink's TimeUtils does: a whole number and a unit (d, h, min or m, s, ms, µs, ns, or
// their long names), without a unit milliseconds; or ISO 8601, such as PT1M30S.
func ParseDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration; expected a whole number and d, h, min, s, ms, or the like, such as 10 s", text)
	t := strings.TrimSpace(text)
	if t != "" && (t[0] == 'P' || t[0] == 'p' || strings.HasPrefix(strings.ToUpper(t), "-P")) {
		d, ok := parseISO(strings.ToUpper(t))
		if !ok {
			return 0, bad
		}
		return d, nil
	}
	n, unitText, err := splitNumber(t)
	u, ok := durationUnits[strings.ToLower(unitText)]
	if err != nil || !ok {
		return 0, bad
	}
	if n > math.MaxInt64/int64(u) {
		return math.MaxInt64, nil
	}
	return time.Duration(n) * u, nil
}

// parseDurationOrNone reads a duration, or -1, with or without a unit of milliseconds, as -1.
func parseDurationOrNone(text string) (time.Duration, error) {
	if rest, ok := strings.CutPrefix(strings.TrimSpace(text), "-1"); ok && (rest == "" || strings.TrimSpace(rest) == "ms") {
		return -1, nil
	}
	return ParseDuration(text)
}

// splitNumber cuts "10 s" into 10 and "s".
func splitNumber(text string) (n int64, rest string, err error) {
	t := strings.TrimSpace(text)
	i := 0
	for i < len(t) && t[i] >= '0' && t[i] <= '9' {
		i++
	}
	n, err = strconv.ParseInt(t[:i], 10, 64)
	return n, strings.TrimSpace(t[i:]), err
}

// parseISO reads P[nD][T[nH][nM][n.nS]], upper case.
func parseISO(t string) (time.Duration, bool) {
	sign := time.Duration(1)
	if rest, neg := strings.CutPrefix(t, "-"); neg {
		t, sign = rest, -1
	}
	date, clock, hasClock := strings.Cut(strings.TrimPrefix(t, "P"), "T")
	if date == "" && !hasClock || hasClock && clock == "" {
		return 0, false
	}
	total := 0.0
	for _, part := range []struct{ text, units string }{{date, "D"}, {clock, "HMS"}} {
		rest, last := part.text, -1
		for rest != "" {
			i := strings.IndexAny(rest, "DHMS")
			if i < 1 {
				return 0, false
			}
			place := strings.IndexByte(part.units, rest[i])
			v, err := strconv.ParseFloat(rest[:i], 64)
			if err != nil || place <= last {
				return 0, false
			}
			seconds := map[byte]float64{'D': 86400, 'H': 3600, 'M': 60, 'S': 1}[rest[i]]
			total += v * seconds
			last, rest = place, rest[i+1:]
		}
	}
	if math.Abs(total)*1e9 > math.MaxInt64 {
		return sign * math.MaxInt64, true
	}
	return sign * time.Duration(math.Round(total*1e9)), true
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is not a boolean; expected true or false", text)
}

func parseString(text string) (string, error) { return text, nil }

// parseInt gives a parser of whole numbers within bounds.
func parseInt(low, high int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		switch {
		case err != nil:
			return 0, fmt.Errorf("%q is not a whole number", text)
		case n < low:
			return 0, fmt.Errorf("%d is too small; expected %d or more", n, low)
		case n > high:
			return 0, fmt.Errorf("%d is too large; expected %d or less", n, high)
		}
		return n, nil
	}
}

func parseFloat(text string) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	return f, nil
}

func parsePositive(text string) (float64, error) {
	f, err := parseFloat(text)
	if err == nil && f <= 0 {
		err = fmt.Errorf("%g is too small; expected more than 0", f)
	}
	return f, err
}

// parseFraction reads a part of a whole, less than all of it.
func parseFraction(text string) (float64, error) {
	f, err := parseFloat(text)
	if err == nil && (f < 0 || f >= 1) {
		err = fmt.Errorf("%g is no fraction; expected 0 or more and less than 1", f)
	}
	return f, err
}

// parseEnum gives a parser of a closed list of words, in any case; the value is the word as listed.
func parseEnum(words ...string) func(string) (string, error) {
	return func(text string) (string, error) {
		for _, w := range words {
			if strings.EqualFold(strings.TrimSpace(text), w) {
				return w, nil
			}
		}
		return "", fmt.Errorf("%q is not one of %s", text, strings.Join(words, ", "))
	}
}

// parseList reads "a;b;c". An element that holds a semicolon is quoted with ' or ", the quote doubled inside it.
func parseList(text string) ([]string, error) {
	var out []string
	for t := strings.TrimSpace(text); t != ""; {
		element, rest, err := cutElement(t, ';')
		if err != nil {
			return nil, fmt.Errorf("%q is not a list: %w", text, err)
		}
		if element != "" {
			out = append(out, element)
		}
		t = strings.TrimSpace(rest)
	}
	return out, nil
}

// cutElement takes the first, perhaps quoted, element of a separated text.
func cutElement(t string, separator byte) (element, rest string, err error) {
	if q := t[0]; q == '"' || q == '\'' {
		var b strings.Builder
		for i := 1; i < len(t); i++ {
			if t[i] != q {
				b.WriteByte(t[i])
				continue
			}
			if i+1 < len(t) && t[i+1] == q {
				b.WriteByte(q)
				i++
				continue
			}
			rest = strings.TrimSpace(t[i+1:])
			if rest != "" && rest[0] != separator {
				return "", "", fmt.Errorf("expected %q after the closing quote, found %q", separator, rest)
			}
			return b.String(), strings.TrimPrefix(rest, string(separator)), nil
		}
		return "", "", fmt.Errorf("the quote %c is not closed", q)
	}
	element, rest, _ = strings.Cut(t, string(separator))
	return strings.TrimSpace(element), rest, nil
}

// joinList is the inverse of parseList.
func joinList(elements []string) string {
	quoted := make([]string, len(elements))
	for i, e := range elements {
		if e == "" || strings.ContainsAny(e, `;"'`) || strings.TrimSpace(e) != e {
			e = `"` + strings.ReplaceAll(e, `"`, `""`) + `"`
		}
		quoted[i] = e
	}
	return strings.Join(quoted, ";")
}

// PortRange is the ports that may be listened on, in the order in which they are tried; 0 is any free port.
type PortRange []int

// parsePorts reads "0", "8081" or "50100-50200,50300".
func parsePorts(text string) (PortRange, error) {
	var out PortRange
	bad := fmt.Errorf("%q is not a port or a range of ports; expected 8081, 50100-50200 or a list of these", text)
	for _, part := range strings.Split(text, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		a, err := strconv.Atoi(strings.TrimSpace(low))
		b := a
		if err == nil && isRange {
			b, err = strconv.Atoi(strings.TrimSpace(high))
		}
		if err != nil || a < 0 || b > 65535 || b < a {
			return nil, bad
		}
		for p := a; p <= b; p++ {
			out = append(out, p)
		}
	}
	return out, nil
}

// Platform is where containers run, as Go names it.
type Platform struct{ OS, Arch string }

// String gives os/arch.
func (p Platform) String() string { return p.OS + "/" + p.Arch }

func parsePlatform(text string) (Platform, error) {
	os, arch, ok := strings.Cut(strings.TrimSpace(text), "/")
	if !ok || os != "linux" || arch == "" || strings.Contains(arch, "/") {
		return Platform{}, fmt.Errorf("%q is not a platform of a cluster; expected linux/amd64 or linux/arm64", text)
	}
	return Platform{OS: os, Arch: arch}, nil
}
