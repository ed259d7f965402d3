package security

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// SecretSize is the length of a Secret in bytes.
const SecretSize = 32

// redacted is what every way of printing a Secret gives.
const redacted = "<secret>"

// Labels for Derive. A secret derived under one label is worth nothing under another.
const (
	// LabelJob derives a job's secret; its context is the job id.
	LabelJob = "job"
	// LabelRESTOwner derives the token of REST calls.
	LabelRESTOwner = "rest-owner"
	// LabelControl derives the secret of JobManager to TaskManager connections.
	LabelControl = "control"
	// LabelData derives the secret of worker to worker connections from a job's secret.
	LabelData = "data"
)

// Secret is a key of SecretSize random bytes that two processes share. It prints as "<secret>" by every verb, in slog
// and in JSON, so that it cannot reach a log by accident; Hex gives the text to store. A Secret of any other length,
// the nil one included, authenticates nobody.
type Secret []byte

// NewSecret draws a new secret.
func NewSecret() Secret {
	s := make(Secret, SecretSize)
	_, _ = rand.Read(s) // never fails: crypto/rand ends the process instead
	return s
}

// ParseSecret reads what Hex gives. The error never repeats the text.
func ParseSecret(text string) (Secret, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != SecretSize {
		return nil, fmt.Errorf("secret of %d characters: expected %d hexadecimal digits", len(text), 2*SecretSize)
	}
	return b, nil
}

// SecretFromBytes takes a secret that came in a message. It copies b.
func SecretFromBytes(b []byte) (Secret, error) {
	if len(b) != SecretSize {
		return nil, fmt.Errorf("secret of %d bytes: expected %d", len(b), SecretSize)
	}
	return append(Secret(nil), b...), nil
}

// Hex gives the secret as 64 lower-case hexadecimal digits: the only way to turn it into text.
func (s Secret) Hex() string { return hex.EncodeToString(s) }

// Valid tells a usable secret from an unset or truncated one.
func (s Secret) Valid() bool { return len(s) == SecretSize }

// Derive gives the secret for one purpose, by HKDF-SHA256 (RFC 5869) with an empty salt and, as info, the label and
// the contexts, each with its length before it, so that no two lists give the same info. From an invalid secret it
// derives nil, which authenticates nobody.
func (s Secret) Derive(label string, context ...string) Secret {
	if !s.Valid() {
		return nil
	}
	info := appendSized([]byte("weft secret 1"), label)
	for _, c := range context {
		info = appendSized(info, c)
	}
	key, err := hkdf.Key(sha256.New, s, nil, string(info), SecretSize)
	if err != nil {
		// Only asking for more than 255 hashes can fail.
		return nil
	}
	return key
}

// appendSized appends the length of s in four bytes, then s.
func appendSized[T string | []byte](b []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// String never gives the secret.
func (s Secret) String() string { return redacted }

// GoString never gives the secret.
func (s Secret) GoString() string { return redacted }

// Format never gives the secret, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue never gives the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText never gives the secret: a document that happens to hold one shows "<secret>".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// errNoSecret is given where a handshake is asked for without a secret.
var errNoSecret = errors.New("no secret is set for this connection")
