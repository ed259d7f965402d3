package aggregatedlogs

import (
	"fmt"
	"path"
	"strings"
)

// Defaults of Hadoop's keys.
const (
	defaultRoot    = "/tmp/logs"
	defaultSuffix  = "logs"
	defaultFormats = "TFile"
)

// Dirs are the places where NodeManagers may have stored an application's logs, the likeliest first: Hadoop 3.3 and later sort
// applications into buckets by their number, 3.1 has a directory for each format, and 2.x one for all. get gives the keys of a
// Hadoop configuration, "" for those that are not set.
func Dirs(get func(key string) string, user, application string, number int) []string {
	either := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	base := either(get("yarn.nodemanager.remote-app-log-dir-suffix"), defaultSuffix)
	root := either(get("yarn.nodemanager.remote-app-log-dir"), defaultRoot)
	var out []string
	add := func(dir string) {
		for _, d := range out {
			if d == dir {
				return
			}
		}
		out = append(out, dir)
	}
	for _, format := range strings.Split(either(get("yarn.log-aggregation.file-formats"), defaultFormats), ",") {
		format = strings.TrimSpace(format)
		ofFormat := either(get("yarn.log-aggregation."+format+".remote-app-log-dir"), root)
		suffix := either(get("yarn.log-aggregation."+format+".remote-app-log-dir-suffix"), base+"-"+strings.ToLower(format))
		add(join(ofFormat, user, "bucket-"+suffix, fmt.Sprintf("%04d", number%10000), application))
		add(join(ofFormat, user, suffix, application))
	}
	add(join(root, user, base, application))
	return out
}

// join is path.Join that keeps a scheme.
func join(root string, elements ...string) string {
	return strings.TrimSuffix(root, "/") + "/" + path.Join(elements...)
}

// Stored tells whether a file of such a directory has logs: others are being written, or are sums.
func Stored(name string) bool {
	return !strings.HasSuffix(name, ".tmp") && !strings.HasSuffix(name, "-checksum") && !strings.HasSuffix(name, ".har") && !strings.HasPrefix(name, ".")
}
