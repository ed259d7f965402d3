package manifest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// AppendGroup appends the contents of one key group of an operator: its named parts, sorted by name. No parts are no bytes.
func AppendGroup(dst []byte, parts map[string][]byte) []byte {
	if len(parts) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(parts)))
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		dst = binary.AppendUvarint(dst, uint64(len(name)))
		dst = append(dst, name...)
		dst = binary.AppendUvarint(dst, uint64(len(parts[name])))
		dst = append(dst, parts[name]...)
	}
	return dst
}

// ReadGroup reads what AppendGroup has written. The parts are cut from src.
func ReadGroup(src []byte) (map[string][]byte, error) {
	if len(src) == 0 {
		return nil, nil
	}
	n, rest, err := uvarint(src)
	if err != nil {
		return nil, err
	}
	parts := map[string][]byte{}
	for range n {
		var name, part []byte
		if name, rest, err = prefixed(rest); err != nil {
			return nil, err
		}
		if part, rest, err = prefixed(rest); err != nil {
			return nil, err
		}
		if _, twice := parts[string(name)]; twice {
			return nil, fmt.Errorf("%w key group: state %q stands in it twice", ErrDamaged, name)
		}
		parts[string(name)] = part
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w key group: %d bytes too many", ErrDamaged, len(rest))
	}
	return parts, nil
}

func prefixed(src []byte) (b, rest []byte, err error) {
	n, rest, err := uvarint(src)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(rest)) {
		return nil, nil, fmt.Errorf("%w key group: a part is cut short", ErrDamaged)
	}
	return rest[:n:n], rest[n:], nil
}

func uvarint(src []byte) (uint64, []byte, error) {
	n, used := binary.Uvarint(src)
	if used <= 0 {
		return 0, nil, fmt.Errorf("%w key group: a length is cut short", ErrDamaged)
	}
	return n, src[used:], nil
}
