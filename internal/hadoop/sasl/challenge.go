package sasl

import (
	"fmt"
	"strconv"
	"strings"
)

// maxChallenge is the longest digest-challenge that RFC 2831 allows.
const maxChallenge = 2048

// challenge is a parsed digest-challenge.
type challenge struct {
	realms  []string
	nonce   string
	qops    []QOP
	ciphers []string
	// maxbuf is the largest wrapped message the server takes.
	maxbuf int
	utf8   bool
}

// directives splits `name=value, name="quoted \" value", …`. Empty elements are skipped, as the RFC's grammar wants.
func directives(text string) ([][2]string, error) {
	var out [][2]string
	for i := 0; i < len(text); {
		if c := text[i]; c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			i++
			continue
		}
		eq := strings.IndexByte(text[i:], '=')
		if eq <= 0 {
			return nil, fmt.Errorf("%w: directive without a value at byte %d", ErrProtocol, i)
		}
		name := strings.ToLower(strings.TrimSpace(text[i : i+eq]))
		value, next, err := directiveValue(text, i+eq+1)
		if err != nil {
			return nil, err
		}
		out = append(out, [2]string{name, value})
		i = next
	}
	return out, nil
}

// directiveValue reads a quoted or plain value that starts at byte i; next is the byte behind it.
func directiveValue(text string, i int) (value string, next int, err error) {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	if i >= len(text) || text[i] != '"' {
		end := strings.IndexByte(text[i:], ',')
		if end < 0 {
			end = len(text) - i
		}
		return strings.TrimSpace(text[i : i+end]), i + end, nil
	}
	var b strings.Builder
	for i++; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), i + 1, nil
		case '\\':
			if i++; i < len(text) {
				b.WriteByte(text[i])
			}
		default:
			b.WriteByte(text[i])
		}
	}
	return "", 0, fmt.Errorf("%w: quotation without end", ErrProtocol)
}

func parseChallenge(raw []byte) (challenge, error) {
	c := challenge{maxbuf: 65536}
	if len(raw) > maxChallenge {
		return c, fmt.Errorf("%w: challenge of %d bytes, at most %d are allowed", ErrProtocol, len(raw), maxChallenge)
	}
	list, err := directives(string(raw))
	if err != nil {
		return c, err
	}
	seen := map[string]bool{}
	algorithm := ""
	for _, d := range list {
		name, value := d[0], d[1]
		if seen[name] && name != "realm" {
			return c, fmt.Errorf("%w: %s is given twice", ErrProtocol, name)
		}
		seen[name] = true
		switch name {
		case "realm":
			c.realms = append(c.realms, value)
		case "nonce":
			c.nonce = value
		case "algorithm":
			algorithm = value
		case "charset":
			c.utf8 = strings.EqualFold(value, "utf-8")
		case "maxbuf":
			if c.maxbuf, err = strconv.Atoi(value); err != nil || c.maxbuf <= 16 || c.maxbuf > 1<<24-1 {
				return c, fmt.Errorf("%w: maxbuf is %q, expected 17 to 16777215", ErrProtocol, value)
			}
		case "qop":
			c.qops = parseQOPs(value)
		case "cipher":
			for _, w := range strings.Split(value, ",") {
				c.ciphers = append(c.ciphers, strings.ToLower(strings.TrimSpace(w)))
			}
		}
	}
	if c.nonce == "" || !strings.EqualFold(algorithm, "md5-sess") {
		return c, fmt.Errorf("%w: digest challenge needs a nonce and algorithm=md5-sess, it has nonce %t and algorithm %q", ErrProtocol, c.nonce != "", algorithm)
	}
	if !seen["qop"] {
		c.qops = []QOP{Auth}
	}
	return c, nil
}

// parseQOPs reads a comma list; unknown levels are skipped.
func parseQOPs(text string) []QOP {
	var out []QOP
	for _, w := range strings.Split(text, ",") {
		switch strings.ToLower(strings.TrimSpace(w)) {
		case "auth":
			out = append(out, Auth)
		case "auth-int":
			out = append(out, AuthInt)
		case "auth-conf":
			out = append(out, AuthConf)
		}
	}
	return out
}

// quote makes a quoted-string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
