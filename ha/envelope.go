package ha

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Values are stored as a version byte and what follows it (docs/formats/ha.md).
const (
	// versionInline: the value itself follows.
	versionInline = 1
	// versionPointer: a Pointer follows, as JSON.
	versionPointer = 2
)

// Pointer says where a value lies that is too large for the store.
type Pointer struct {
	// Path is a URI.
	Path string `json:"path"`
	// Size in bytes and SHA256 in lower-case hexadecimal of the value.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Seal makes a stored value of a value.
func Seal(value []byte) []byte {
	return append([]byte{versionInline}, value...)
}

// SealPointer makes a stored value that points to a file with the value.
func SealPointer(path string, value []byte) []byte {
	sum := sha256.Sum256(value)
	// A struct of strings and a number always has a JSON form.
	doc, _ := json.Marshal(Pointer{Path: path, Size: int64(len(value)), SHA256: hex.EncodeToString(sum[:])})
	return append([]byte{versionPointer}, doc...)
}

// Open reads a stored value: the value itself, or the pointer to it.
func Open(stored []byte) (value []byte, at *Pointer, err error) {
	if len(stored) == 0 {
		return nil, nil, errors.New("a stored value is empty; expected a version byte")
	}
	switch stored[0] {
	case versionInline:
		return stored[1:], nil, nil
	case versionPointer:
		at = &Pointer{}
		if err := json.Unmarshal(stored[1:], at); err != nil {
			return nil, nil, fmt.Errorf("a stored pointer is no JSON document: %w", err)
		}
		return nil, at, nil
	}
	return nil, nil, fmt.Errorf("a stored value has version %d; this release reads %d and %d", stored[0], versionInline, versionPointer)
}

// Check compares the value that was found with the pointer.
func (p *Pointer) Check(value []byte) error {
	sum := sha256.Sum256(value)
	if got := hex.EncodeToString(sum[:]); int64(len(value)) != p.Size || got != p.SHA256 {
		return fmt.Errorf("%s has %d bytes with SHA-256 %s; expected %d with %s", p.Path, len(value), got, p.Size, p.SHA256)
	}
	return nil
}

// record is the stored form of a leader's or an owner's record.
type record[T any] struct {
	Version int `json:"version"`
	Value   T   `json:"value"`
}

const recordVersion = 1

// EncodeRecord writes a record for others to read.
func EncodeRecord[T Leader | Owner](v T) []byte {
	// Structs of strings and numbers always have a JSON form.
	doc, _ := json.Marshal(record[T]{recordVersion, v})
	return doc
}

// DecodeRecord reads what EncodeRecord wrote. Fields that a later release adds are passed over.
func DecodeRecord[T Leader | Owner](doc []byte) (T, error) {
	var r record[T]
	if err := json.Unmarshal(doc, &r); err != nil {
		return r.Value, fmt.Errorf("a leader's record is no JSON document: %w", err)
	}
	if r.Version != recordVersion {
		return r.Value, fmt.Errorf("a leader's record has version %d; this release reads %d", r.Version, recordVersion)
	}
	return r.Value, nil
}
