package rest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Masked stands in the place of a secret value, as in Flink.
const Masked = "******"

// secretWords make a configuration key secret. The first eleven are Flink's.
var secretWords = [...]string{
	"password", "secret", "fs.azure.account.key", "apikey", "api-key", "auth-params", "service-key", "token", "basic-auth", "jaas.config", "http-headers",
	"passwd", "passphrase", "credential", "private-key", "private_key", "access-key", "access_key", "access.key", "accesskey", "api_key", "api.key", "client.authorization",
}

// secretAssignment finds secrets inside a longer value, such as options of a command line.
var secretAssignment = regexp.MustCompile(`(?i)([\w.-]*(?:password|passwd|secret|token|apikey|api[-_.]key|access[-_.]key|credential)[\w.-]*\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&]+)`)

// secretFlag finds them behind the flag of a command line, "--password VALUE".
var secretFlag = regexp.MustCompile(`(?i)(^|\s)(--?[\w.-]*(?:password|passwd|secret|token|api[-_.]?key|access[-_.]?key|credential)[\w.-]*\s+)([^-\s]\S*)`)

// secretUserinfo finds the password in a URL.
var secretUserinfo = regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]+@`)

// IsSecretKey tells whether the value of a configuration key must not be shown.
func IsSecretKey(key string) bool {
	lower := strings.ToLower(key)
	return slices.ContainsFunc(secretWords[:], func(w string) bool { return strings.Contains(lower, w) })
}

// WithoutSecrets gives a copy without the settings that are nobody else's business, such as a job's.
func WithoutSecrets(values map[string]string) map[string]string {
	out := maps.Clone(values)
	maps.DeleteFunc(out, func(k, _ string) bool { return IsSecretKey(k) })
	return out
}

// MaskValue gives the value of a configuration key as it may be shown. Switches of keys that merely sound
// secret ("security.delegation.tokens.enabled: true") stay.
func MaskValue(key, value string) string {
	if IsSecretKey(key) {
		if value == "" || value == "true" || value == "false" {
			return value
		}
		return Masked
	}
	value = secretAssignment.ReplaceAllString(value, "${1}"+Masked)
	value = secretFlag.ReplaceAllString(value, "${1}${2}"+Masked)
	return secretUserinfo.ReplaceAllString(value, "${1}"+Masked+"@")
}

// MaskConfig gives a sorted copy that may be shown.
func MaskConfig(entries []ConfigEntry) []ConfigEntry {
	masked := make([]ConfigEntry, len(entries))
	for i, e := range entries {
		masked[i] = ConfigEntry{Key: e.Key, Value: MaskValue(e.Key, e.Value)}
	}
	slices.SortFunc(masked, func(a, b ConfigEntry) int { return strings.Compare(a.Key, b.Key) })
	return masked
}
