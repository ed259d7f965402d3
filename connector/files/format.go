package files

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unsafe"
)

// AppendJSON appends a record as encoding/json writes it, for a sink of JSON lines.
func AppendJSON[T any](dst []byte, v *T) []byte {
	b := bytes.NewBuffer(dst)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("%T can not be written as JSON: %v", *v, err)) // the author's value; recovered as the author's error
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}

// AppendCSV gives the function that appends a record as a line of a CSV file, with a comma between the columns: what CSV reads
// by order.
func AppendCSV[T any]() (func(dst []byte, v *T) []byte, error) {
	t := reflect.TypeFor[T]()
	cols, err := csvColumns[T]()
	if err != nil {
		return nil, err
	}
	if t.Kind() == reflect.Slice {
		return func(dst []byte, v *T) []byte {
			texts := *(*[]string)(unsafe.Pointer(v))
			for i, s := range texts {
				dst = append(separated(dst, i), s...)
				dst = quote(dst, len(dst)-len(s), len(texts) == 1)
			}
			return dst
		}, nil
	}
	return func(dst []byte, v *T) []byte {
		for i := range cols {
			dst = separated(dst, i)
			from := len(dst)
			dst = quote(cols[i].add(dst, unsafe.Pointer(v)), from, len(cols) == 1)
		}
		return dst
	}, nil
}

func separated(dst []byte, column int) []byte {
	if column > 0 {
		dst = append(dst, ',')
	}
	return dst
}

// quote puts the text that begins at from into quotes where it needs them. One that is alone in its line does where it is empty: an empty
// line is no record.
func quote(dst []byte, from int, alone bool) []byte {
	text := dst[from:]
	if !bytes.ContainsAny(text, ",\"\r\n") && !(len(text) > 0 && text[0] == ' ') && !(alone && len(text) == 0) {
		return dst
	}
	s := strings.ReplaceAll(string(text), `"`, `""`)
	dst = append(append(dst[:from], '"'), s...)
	return append(dst, '"')
}
