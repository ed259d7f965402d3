package security

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxSecretFile bounds what is read of a secret file: the digits and some white space.
const maxSecretFile = 1024

// ReadSecretFile reads a file that WriteSecretFile wrote: hexadecimal digits, white space around them ignored. A file
// that its group or others can read (or write) is refused: whoever could read it may hold the secret already.
func ReadSecretFile(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	defer f.Close()
	// The open file is asked, not the path, so that what was checked is what is read.
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("secret file %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("secret file %s: is not a regular file", path)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("secret file %s has mode %04o: others than its owner can use it; make a new secret and "+
			"chmod 600 the file", path, perm)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile))
	if err != nil {
		return nil, fmt.Errorf("secret file %s: %w", path, err)
	}
	s, err := ParseSecret(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, fmt.Errorf("secret file %s: %w", path, err)
	}
	return s, nil
}

// WriteSecretFile writes s to path with mode 0600, replacing a file that is there. The file appears complete or not at
// all, and is never readable to others, not even for a moment.
func WriteSecretFile(path string, s Secret) (err error) {
	if !s.Valid() {
		return fmt.Errorf("secret file %s: %w", path, errNoSecret)
	}
	// CreateTemp makes files with mode 0600.
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("secret file: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("secret file %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	_, err = f.WriteString(s.Hex() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
