package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/weft-project/weft/internal/plural"
)

// functions are what the templates format with.
var functions = template.FuncMap{
	"count":    count,
	"bytes":    bytesText,
	"duration": durationText,
	"moment":   moment,
	"ago":      ago,
	"class":    stateClass,
	"lower":    strings.ToLower,
	"short":    short,
	"shorttm":  shortTaskManager,
	"plural":   plural.Of,
	"segment":  url.PathEscape,
	"minus":    func(b, a int64) int64 { return a - b },
	"dict":     dict,
}

// count groups digits: 1234567 is "1,234,567".
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// bytesText prints an amount of memory or data: "12.3 MiB".
func bytesText(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f := float64(n)
	for _, unit := range [...]string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		f /= 1024
		if f < 999.5 || unit == "PiB" {
			if f >= 99.95 {
				return fmt.Sprintf("%.0f %s", f, unit)
			}
			return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") + " " + unit
		}
	}
	return ""
}

// durationText prints milliseconds: "340 ms", "12.3 s", "4 min 5 s", "2 h 3 min", "5 d 4 h"; a dash below zero.
func durationText(ms int64) string {
	switch {
	case ms < 0:
		return "–"
	case ms < 1000:
		return fmt.Sprintf("%d ms", ms)
	case ms < 60_000:
		return fmt.Sprintf("%.1f s", float64(ms/100)/10)
	}
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// moment prints a time given in milliseconds since 1970; a dash when there is none.
func moment(ms int64) string {
	if ms <= 0 {
		return "–"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05")
}

// ago says how long before now a time was.
func ago(now time.Time, ms int64) string {
	if ms <= 0 {
		return "–"
	}
	d := now.UnixMilli() - ms
	if d < 1000 {
		return "now"
	}
	return durationText(d) + " ago"
}

// stateClass groups job and task states by colour.
func stateClass(state string) string {
	switch state {
	case "RUNNING":
		return "running"
	case "FINISHED":
		return "finished"
	case "FAILED", "FAILING":
		return "failed"
	case "CANCELED", "CANCELLING", "CANCELING", "SUSPENDED":
		return "canceled"
	case "RESTARTING", "RECONCILING":
		return "restarting"
	}
	return "waiting"
}

// short abbreviates an id of 32 digits.
func short(id string) string {
	if len(id) > 8 {
		return id[:8]
	}
	return id
}

// dict gives a part of a page several values: names and values in turn.
func dict(pairs ...any) (map[string]any, error) {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: name %v is not a text", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// shortTaskManager leaves the part of a YARN container id that tells the containers of one application apart.
func shortTaskManager(id string) string {
	parts := strings.Split(id, "_")
	if len(parts) < 4 || parts[0] != "container" {
		return id
	}
	return "…_" + strings.Join(parts[len(parts)-2:], "_")
}
