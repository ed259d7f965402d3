package token

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
)

// EnvFile is the environment variable in which YARN names the credentials file of a container.
const EnvFile = "HADOOP_TOKEN_FILE_LOCATION"

// Formats of the file.
const (
	FormatWritable = 0
	FormatProtobuf = 1
)

const (
	magic = "HDTS"
	// maxFile bounds a credentials file. Real ones have a few KiB.
	maxFile = 16 << 20
)

// errShort is what every decoder of this package says when bytes are missing.
var errShort = errors.New("ends too early")

// ReadFile reads a credentials file.
func ReadFile(path string) (*Credentials, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("credentials file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("credentials file %s: %w", path, err)
	}
	c, err := Unmarshal(data)
	if err != nil {
		return nil, fmt.Errorf("credentials file %s: %w", path, err)
	}
	return c, nil
}

// WriteFile writes a credentials file that only its owner may read. A file of that name is replaced as a whole.
func (c *Credentials) WriteFile(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // mode 0600
	if err != nil {
		return fmt.Errorf("credentials file: %w", err)
	}
	_, err = f.Write(c.Marshal())
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("credentials file %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// FromEnv reads the file named by HADOOP_TOKEN_FILE_LOCATION; without the variable it gives empty credentials.
func FromEnv(getenv func(string) string) (*Credentials, error) {
	path := getenv(EnvFile)
	if path == "" {
		return &Credentials{}, nil
	}
	return ReadFile(path)
}

// Unmarshal reads credentials in either format.
func Unmarshal(data []byte) (*Credentials, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("credentials: %d bytes, expected at most %d", len(data), maxFile)
	}
	if len(data) < len(magic)+1 || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("credentials: no %q at the start, expected a Hadoop token file", magic)
	}
	format, body := data[len(magic)], data[len(magic)+1:]
	var c *Credentials
	var err error
	switch format {
	case FormatWritable:
		c, err = readWritable(body)
	case FormatProtobuf:
		c, err = readProtobuf(body)
	default:
		return nil, fmt.Errorf("credentials: format %d, expected %d (Writable) or %d (protobuf)", format, FormatWritable, FormatProtobuf)
	}
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	return c, nil
}

// Marshal writes the credentials as Hadoop does, in format 0.
func (c *Credentials) Marshal() []byte {
	b := append([]byte(magic), FormatWritable)
	b = AppendVInt(b, int64(len(c.tokens)))
	for _, alias := range c.Aliases() {
		b = appendBytes(b, []byte(alias))
		b = c.tokens[alias].AppendWritable(b)
	}
	b = AppendVInt(b, int64(len(c.secrets)))
	for _, alias := range c.SecretAliases() {
		b = appendBytes(b, []byte(alias))
		b = appendBytes(b, c.secrets[alias])
	}
	return b
}

// MarshalProtobuf writes the credentials in format 1.
func (c *Credentials) MarshalProtobuf() ([]byte, error) {
	msg := &commonpb.Credentials{}
	for _, alias := range c.Aliases() {
		msg.Tokens = append(msg.Tokens, &commonpb.CredentialsKV{Alias: proto.String(alias), Token: c.tokens[alias].Proto()})
	}
	for _, alias := range c.SecretAliases() {
		msg.Secrets = append(msg.Secrets, &commonpb.CredentialsKV{Alias: proto.String(alias), Secret: nonNil(c.secrets[alias])})
	}
	body, err := proto.Marshal(msg)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	b := append([]byte(magic), FormatProtobuf)
	b = binary.AppendUvarint(b, uint64(len(body)))
	return append(b, body...), nil
}

func readProtobuf(body []byte) (*Credentials, error) {
	n, size := binary.Uvarint(body)
	if size <= 0 || n > uint64(len(body)-size) {
		return nil, fmt.Errorf("message length: %w", errShort)
	}
	var msg commonpb.Credentials
	if err := proto.Unmarshal(body[size:size+int(n)], &msg); err != nil {
		return nil, err
	}
	c := &Credentials{}
	for _, kv := range msg.GetTokens() {
		for _, text := range []string{kv.GetAlias(), kv.GetToken().GetKind(), kv.GetToken().GetService()} {
			if !utf8.ValidString(text) {
				return nil, fmt.Errorf("text %q is not UTF-8", text)
			}
		}
		c.Add(kv.GetAlias(), FromProto(kv.GetToken()))
	}
	for _, kv := range msg.GetSecrets() {
		if !utf8.ValidString(kv.GetAlias()) {
			return nil, fmt.Errorf("text %q is not UTF-8", kv.GetAlias())
		}
		c.AddSecret(kv.GetAlias(), kv.GetSecret())
	}
	return c, nil
}

func readWritable(body []byte) (*Credentials, error) {
	r := &reader{b: body}
	c := &Credentials{}
	for i, n := 0, r.count(); i < n && r.err == nil; i++ {
		alias := r.text()
		c.Add(alias, r.token())
	}
	for i, n := 0, r.count(); i < n && r.err == nil; i++ {
		alias := r.text()
		c.AddSecret(alias, r.bytes())
	}
	if r.err != nil {
		return nil, r.err
	}
	return c, nil
}

// AppendWritable appends the token as Hadoop's Token.write does.
func (t Token) AppendWritable(b []byte) []byte {
	b = appendBytes(b, t.Identifier)
	b = appendBytes(b, t.Password)
	b = appendBytes(b, []byte(t.Kind))
	return appendBytes(b, []byte(t.Service))
}

// AppendVInt appends Hadoop's zero-compressed integer: one byte from -112 to 127, else a byte that tells sign and
// length and then the magnitude, big endian.
func AppendVInt(b []byte, v int64) []byte {
	if v >= -112 && v <= 127 {
		return append(b, byte(v))
	}
	first := int8(-112)
	if v < 0 {
		v = ^v
		first = -120
	}
	size := 0
	for x := v; x != 0; x >>= 8 {
		size++
	}
	b = append(b, byte(first-int8(size)))
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

func appendBytes(b, field []byte) []byte {
	return append(AppendVInt(b, int64(len(field))), field...)
}

// reader takes Writable fields off a byte slice; after the first error it gives zero values.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) vint() int64 {
	if len(r.b) == 0 {
		r.fail(fmt.Errorf("integer: %w", errShort))
		return 0
	}
	first := int8(r.b[0])
	r.b = r.b[1:]
	if first >= -112 {
		return int64(first)
	}
	size, negative := int(-112-int(first)), false
	if first < -120 {
		size, negative = int(-120-int(first)), true
	}
	if size > len(r.b) {
		r.fail(fmt.Errorf("integer: %w", errShort))
		return 0
	}
	var v int64
	for _, x := range r.b[:size] {
		v = v<<8 | int64(x)
	}
	r.b = r.b[size:]
	if negative {
		v = ^v
	}
	return v
}

// count reads the number of entries that follow; each takes at least two bytes.
func (r *reader) count() int {
	n := r.vint()
	if n < 0 || n > int64(len(r.b)) {
		r.fail(fmt.Errorf("%d entries in %d bytes: %w", n, len(r.b), errShort))
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte {
	n := r.vint()
	if n < 0 || n > int64(len(r.b)) {
		r.fail(fmt.Errorf("field of %d bytes where %d are left: %w", n, len(r.b), errShort))
		return nil
	}
	out := bytes.Clone(r.b[:n])
	r.b = r.b[n:]
	return out
}

func (r *reader) text() string {
	b := r.bytes()
	if !utf8.Valid(b) {
		r.fail(fmt.Errorf("text %q is not UTF-8", b))
		return ""
	}
	return string(b)
}

func (r *reader) token() Token {
	return Token{Identifier: r.bytes(), Password: r.bytes(), Kind: r.text(), Service: r.text()}
}
