package files

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// column is a field of a struct that a column of a CSV file is read into or written from.
type column struct {
	name string
	set  func(record unsafe.Pointer, text string) error
	add  func(dst []byte, record unsafe.Pointer) []byte
}

var (
	unmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	marshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	timeType        = reflect.TypeFor[time.Time]()
	durationType    = reflect.TypeFor[time.Duration]()
)

// columnsOf gives the columns of a struct type in the order of its fields; those of embedded structs in their place.
//
// A field's name is its own or that of its tag: `csv:"name"`; `csv:"-"` leaves it out. What follows a comma is the layout of
// a time: `csv:"day,2006-01-02"`.
func columnsOf(t reflect.Type) ([]column, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s can not be columns: expected a struct", t)
	}
	var all []column
	for i := range t.NumField() {
		f := t.Field(i)
		tag, layout, _ := strings.Cut(f.Tag.Get("csv"), ",")
		if f.Name == "_" || tag == "-" {
			continue
		}
		var cols []column
		var err error
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Struct && f.Type != timeType:
			if cols, err = columnsOf(f.Type); err != nil {
				return nil, err
			}
		case !f.IsExported():
			return nil, fmt.Errorf(`%s.%s: a field that is not exported can not be a column; export it, or leave it out by the tag csv:"-"`, t, f.Name)
		default:
			if tag == "" {
				tag = f.Name
			}
			k, err := kindOf(f.Type, layout)
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
			}
			cols = []column{{name: tag, set: k.set, add: k.add}}
		}
		for _, c := range cols {
			all = append(all, column{c.name,
				func(p unsafe.Pointer, s string) error { return c.set(unsafe.Add(p, f.Offset), s) },
				func(dst []byte, p unsafe.Pointer) []byte { return c.add(dst, unsafe.Add(p, f.Offset)) }})
		}
	}
	return all, nil
}

// kind is how a type is read from a text, and written.
type kind struct {
	set func(p unsafe.Pointer, text string) error
	add func(dst []byte, p unsafe.Pointer) []byte
}

func kindOf(t reflect.Type, layout string) (kind, error) {
	ptr := reflect.PointerTo(t)
	switch {
	case t == timeType:
		return timeKind(layout), nil
	case t == durationType:
		return kind{func(p unsafe.Pointer, s string) (err error) {
			*(*time.Duration)(p), err = time.ParseDuration(s)
			return wanted(err, "a duration like 1m30s")
		}, func(dst []byte, p unsafe.Pointer) []byte { return append(dst, (*time.Duration)(p).String()...) }}, nil
	case ptr.Implements(unmarshalerType) && ptr.Implements(marshalerType):
		return textKind(t), nil
	}
	switch t.Kind() {
	case reflect.String:
		return kind{func(p unsafe.Pointer, s string) error { *(*string)(p) = s; return nil },
			func(dst []byte, p unsafe.Pointer) []byte { return append(dst, *(*string)(p)...) }}, nil
	case reflect.Bool:
		return kind{func(p unsafe.Pointer, s string) (err error) {
			*(*bool)(p), err = strconv.ParseBool(s)
			return wanted(err, describe(t))
		}, func(dst []byte, p unsafe.Pointer) []byte { return strconv.AppendBool(dst, *(*bool)(p)) }}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32,
		reflect.Uint64, reflect.Float32, reflect.Float64:
		return numberKind(t), nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return kind{func(p unsafe.Pointer, s string) error { *(*[]byte)(p) = []byte(s); return nil },
				func(dst []byte, p unsafe.Pointer) []byte { return append(dst, *(*[]byte)(p)...) }}, nil
		}
	case reflect.Pointer:
		if t.Elem().Kind() != reflect.Pointer {
			return pointerKind(t, layout)
		}
	}
	return kind{}, fmt.Errorf("%s can not be a column; columns are strings, numbers, booleans, []byte, time.Time, time.Duration, pointers to these, "+
		"and types with UnmarshalText and MarshalText", t)
}

// wanted says what a text should have been.
func wanted(err error, what string) error {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("too large for %s", what)
	}
	if err != nil {
		return fmt.Errorf("expected %s", what)
	}
	return nil
}

func numberKind(t reflect.Type) kind {
	what, bits := describe(t), t.Bits()
	at := func(p unsafe.Pointer) reflect.Value { return reflect.NewAt(t, p).Elem() }
	switch k := t.Kind(); {
	case k == reflect.Int64:
		return kind{func(p unsafe.Pointer, s string) (err error) {
			*(*int64)(p), err = strconv.ParseInt(s, 10, 64)
			return wanted(err, what)
		}, func(dst []byte, p unsafe.Pointer) []byte { return strconv.AppendInt(dst, *(*int64)(p), 10) }}
	case k <= reflect.Int64:
		return kind{func(p unsafe.Pointer, s string) error {
			n, err := strconv.ParseInt(s, 10, bits)
			at(p).SetInt(n)
			return wanted(err, what)
		}, func(dst []byte, p unsafe.Pointer) []byte { return strconv.AppendInt(dst, at(p).Int(), 10) }}
	case k <= reflect.Uint64:
		return kind{func(p unsafe.Pointer, s string) error {
			n, err := strconv.ParseUint(s, 10, bits)
			at(p).SetUint(n)
			return wanted(err, what)
		}, func(dst []byte, p unsafe.Pointer) []byte { return strconv.AppendUint(dst, at(p).Uint(), 10) }}
	}
	return kind{func(p unsafe.Pointer, s string) error {
		n, err := strconv.ParseFloat(s, bits)
		at(p).SetFloat(n)
		return wanted(err, what)
	}, func(dst []byte, p unsafe.Pointer) []byte {
		return strconv.AppendFloat(dst, at(p).Float(), 'g', -1, bits)
	}}
}

func timeKind(layout string) kind {
	what := "a time like 2006-01-02T15:04:05Z"
	if layout == "" {
		layout = time.RFC3339Nano
	} else {
		what = "a time like " + layout
	}
	return kind{func(p unsafe.Pointer, s string) (err error) {
		*(*time.Time)(p), err = time.Parse(layout, s)
		return wanted(err, what)
	}, func(dst []byte, p unsafe.Pointer) []byte { return (*time.Time)(p).AppendFormat(dst, layout) }}
}

func textKind(t reflect.Type) kind {
	return kind{func(p unsafe.Pointer, s string) error {
		return reflect.NewAt(t, p).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
	}, func(dst []byte, p unsafe.Pointer) []byte {
		b, err := reflect.NewAt(t, p).Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			panic(fmt.Sprintf("%s: %v", t, err)) // the author's value; recovered as the author's error
		}
		return append(dst, b...)
	}}
}

// pointerKind: an empty text is nil.
func pointerKind(t reflect.Type, layout string) (kind, error) {
	e, err := kindOf(t.Elem(), layout)
	return kind{func(p unsafe.Pointer, s string) error {
		if s == "" {
			*(*unsafe.Pointer)(p) = nil
			return nil
		}
		v := reflect.New(t.Elem())
		reflect.NewAt(t, p).Elem().Set(v)
		return e.set(v.UnsafePointer(), s)
	}, func(dst []byte, p unsafe.Pointer) []byte {
		if target := *(*unsafe.Pointer)(p); target != nil {
			dst = e.add(dst, target)
		}
		return dst
	}}, err
}
