package streamtest

import (
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// leaf is a number, string or the like somewhere in a value.
type leaf struct{ path, text string }

// leavesOf takes a value apart: two values are equal when their leaves are. v is addressable.
func leavesOf(v reflect.Value) []leaf {
	w := &walker{}
	w.walk("", v)
	return w.leaves
}

// leavesOfValue is leavesOf for any value.
func leavesOfValue[T any](v T) []leaf { return leavesOf(reflect.ValueOf(&v).Elem()) }

type walker struct {
	leaves []leaf
	// under way are the pointers and maps that the walk is inside of.
	underWay map[unsafe.Pointer]bool
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	protoType = reflect.TypeFor[proto.Message]()
)

func (w *walker) leaf(path, format string, args ...any) {
	w.leaves = append(w.leaves, leaf{path, fmt.Sprintf(format, args...)})
}

func (w *walker) walk(path string, v reflect.Value) {
	v = reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem() // fields that are not exported are read too
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == timeType {
			w.leaf(path, "%s", v.Interface().(time.Time).Format(time.RFC3339Nano))
			return
		}
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "_" {
				w.walk(join(path, name), v.Field(i))
			}
		}
	case reflect.Pointer:
		w.pointer(path, v)
	case reflect.Slice:
		w.slice(path, v)
	case reflect.Array:
		for i := range v.Len() {
			w.walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Map:
		w.mapping(path, v)
	case reflect.Interface:
		if v.IsNil() {
			w.leaf(path, "nil")
			return
		}
		inner := reflect.New(v.Elem().Type()).Elem()
		inner.Set(v.Elem())
		w.walk(path, inner)
	case reflect.String:
		w.leaf(path, "%q", v.String())
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		w.leaf(path, "%#x", v.Pointer())
	default:
		w.leaf(path, "%v", v.Interface())
	}
}

// enter tells whether the walk is not inside of p already.
func (w *walker) enter(p unsafe.Pointer) bool {
	if w.underWay[p] {
		return false
	}
	if w.underWay == nil {
		w.underWay = map[unsafe.Pointer]bool{}
	}
	w.underWay[p] = true
	return true
}

func (w *walker) pointer(path string, v reflect.Value) {
	if v.IsNil() {
		w.leaf(path, "nil")
		return
	}
	if v.Type().Implements(protoType) {
		w.message(path, v.Interface().(proto.Message).ProtoReflect())
		return
	}
	p := v.UnsafePointer()
	if !w.enter(p) {
		w.leaf(path, "itself")
		return
	}
	defer delete(w.underWay, p)
	w.walk(path, v.Elem())
}

// message takes a protobuf message apart; what the library keeps in it besides its fields is left out.
func (w *walker) message(path string, m protoreflect.Message) {
	first := len(w.leaves)
	m.Range(func(fd protoreflect.FieldDescriptor, x protoreflect.Value) bool {
		p := join(path, string(fd.Name()))
		switch {
		case fd.IsList():
			w.leaf("len("+p+")", "%d", x.List().Len())
			for i := range x.List().Len() {
				w.field(fmt.Sprintf("%s[%d]", p, i), fd, x.List().Get(i))
			}
		case fd.IsMap():
			w.leaf("len("+p+")", "%d", x.Map().Len())
			x.Map().Range(func(k protoreflect.MapKey, e protoreflect.Value) bool {
				w.field(fmt.Sprintf("%s[%#v]", p, k.Interface()), fd.MapValue(), e)
				return true
			})
		default:
			w.field(p, fd, x)
		}
		return true
	})
	fields := w.leaves[first:]
	sort.Slice(fields, func(i, j int) bool { return fields[i].path < fields[j].path })
	w.leaf(path+" unknown", "%q", m.GetUnknown())
}

func (w *walker) field(path string, fd protoreflect.FieldDescriptor, x protoreflect.Value) {
	if fd.Message() != nil {
		w.message(path, x.Message())
		return
	}
	w.leaf(path, "%#v", x.Interface())
}

func (w *walker) slice(path string, v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		w.leaf(path, "%q", v.Bytes())
		return
	}
	w.leaf("len("+path+")", "%d", v.Len())
	for i := range v.Len() {
		w.walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
	}
}

func (w *walker) mapping(path string, v reflect.Value) {
	p := v.UnsafePointer()
	if v.Len() == 0 || !w.enter(p) {
		w.leaf("len("+path+")", "%d", v.Len())
		return
	}
	defer delete(w.underWay, p)
	w.leaf("len("+path+")", "%d", v.Len())
	type entry struct {
		key   string
		value reflect.Value
	}
	var entries []entry
	for it := v.MapRange(); it.Next(); {
		value := reflect.New(it.Value().Type()).Elem()
		value.Set(it.Value())
		entries = append(entries, entry{fmt.Sprintf("%#v", it.Key()), value})
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].key < entries[j].key })
	for _, e := range entries {
		w.walk(path+"["+e.key+"]", e.value)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// difference is the first place at which two values differ.
type difference struct{ path, before, after string }

// compare gives the first difference; ok is false when there is none.
func compare(before, after []leaf) (d difference, ok bool) {
	for i := 0; i < len(before) || i < len(after); i++ {
		switch {
		case i >= len(after):
			return difference{before[i].path, before[i].text, "nothing"}, true
		case i >= len(before):
			return difference{after[i].path, "nothing", after[i].text}, true
		case before[i].path != after[i].path:
			return difference{before[i].path, before[i].text, "another shape: " + after[i].path + "=" + after[i].text}, true
		case before[i].text != after[i].text:
			return difference{before[i].path, before[i].text, after[i].text}, true
		}
	}
	return difference{}, false
}

// refers tells whether values of a type share memory with their copies that can be changed.
func refers(t reflect.Type, seen map[reflect.Type]bool) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		return true
	case reflect.Array:
		return refers(t.Elem(), seen)
	case reflect.Struct:
		if t == timeType || seen[t] {
			return false
		}
		seen[t] = true
		for i := range t.NumField() {
			if refers(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}

// identity is a text that equal values have in common.
func identity(leaves []leaf) string {
	var b strings.Builder
	for _, l := range leaves {
		fmt.Fprintf(&b, "%s=%s;", l.path, l.text)
	}
	return b.String()
}

// show writes a value for people, what pointers lead to included.
func show[T any](v T) string {
	if t := reflect.TypeFor[T](); !hasPointer(t, map[reflect.Type]bool{}) {
		return short(fmt.Sprintf("%+v", v))
	}
	var parts []string
	for _, l := range leavesOfValue(v) {
		parts = append(parts, l.path+":"+l.text)
	}
	return short("{" + strings.Join(parts, " ") + "}")
}

func hasPointer(t reflect.Type, seen map[reflect.Type]bool) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return true
	case reflect.Slice, reflect.Array, reflect.Map:
		return hasPointer(t.Elem(), seen)
	case reflect.Struct:
		if t == timeType || seen[t] {
			return false
		}
		seen[t] = true
		for i := range t.NumField() {
			if hasPointer(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}

// short cuts a text that is too long for a message.
func short(s string) string {
	const limit = 300
	if len(s) > limit {
		return s[:limit] + "…"
	}
	return s
}
