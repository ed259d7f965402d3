package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/weft-project/weft/operator"
)

// JSON is a source of JSON lines: a document a line, read into T as encoding/json does. Empty lines are passed over.
func JSON[T any](uri string, opts ...Option) operator.SplitSource[T, Split] {
	return linesOf(uri, settingsOf(opts), func(r *reader[T]) (parser[T], error) {
		var buf []byte
		return func(line string, v *T) error {
			if r.first() {
				line = strings.TrimPrefix(line, byteOrderMark)
			}
			return parseJSON(&buf, line, v)
		}, nil
	})
}

// parseJSON reads a line; buf is memory that is used again, since Unmarshal copies what it keeps.
func parseJSON[T any](buf *[]byte, line string, v *T) error {
	if strings.TrimSpace(line) == "" {
		return errNoRecord
	}
	*buf = append((*buf)[:0], line...)
	if err := json.Unmarshal(*buf, v); err != nil {
		return badJSON(*buf, err)
	}
	return nil
}

// byteOrderMark begins files of some editors.
const byteOrderMark = "\ufeff"

// badJSON says where in a line the mistake is.
func badJSON(line []byte, err error) *BadRecord {
	bad := &BadRecord{Value: string(line), Err: err}
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		bad.Column = int(syntax.Offset)
		bad.Value = string(line[max(0, min(len(line), int(syntax.Offset)-1)):])
		bad.Err = fmt.Errorf("no JSON document: %w", err)
	case errors.As(err, &typ):
		bad.Value = string(bytes.TrimSpace(jsonValueBefore(line, int(typ.Offset))))
		bad.Column, bad.Field = int(typ.Offset)-len(bad.Value)+1, typ.Field
		bad.Err = fmt.Errorf("expected %s, got a JSON %s", describe(typ.Type), typ.Value)
	}
	return bad
}

// jsonValueBefore is the text of the value that ends at an offset, or all before it.
func jsonValueBefore(line []byte, end int) []byte {
	end = min(end, len(line))
	for begin := end - 1; begin >= max(0, end-200); begin-- {
		if c := line[begin]; (c == ':' || c == ',' || c == '[') && json.Valid(line[begin+1:end]) {
			return line[begin+1 : end]
		}
	}
	return line[max(0, end-80):end]
}

// describe says what a Go type wants of a text.
func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number (" + t.String() + ")"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number of 0 or more (" + t.String() + ")"
	case reflect.Float32, reflect.Float64:
		return "a number (" + t.String() + ")"
	case reflect.Bool:
		return "true or false"
	}
	return "a " + t.String()
}
