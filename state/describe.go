package state

import (
	"reflect"

	"github.com/weft-project/weft/checkpoint/schema"
)

// Describe is Described's.
func (t *tables[K, V]) Describe() Description {
	return Description{KeyValues, schema.Of(reflect.TypeFor[K]()), schema.Of(reflect.TypeFor[V]())}
}

// Describe is Described's.
func (m *Map[K, U, V]) Describe() Description {
	return Description{KeyValues, schema.Of(reflect.TypeFor[K]()), schema.TableOf(reflect.TypeFor[U](), reflect.TypeFor[V]())}
}

// Describe is Described's.
func (p *TablePart[K, V]) Describe() Description {
	return Description{KeyValues, schema.Of(reflect.TypeFor[K]()), schema.Of(reflect.TypeFor[V]())}
}

// Describe is Described's.
func (t *Timers[K, N]) Describe() Description {
	return Description{TimerEntries, "", schema.Of(reflect.TypeFor[Timer[K, N]]())}
}

// Describe is Described's.
func (l *OperatorList[V]) Describe() Description {
	return Description{Value: schema.Of(reflect.TypeFor[V]())}
}

// Describe is Described's.
func (m *BroadcastMap[U, V]) Describe() Description {
	return Description{Value: schema.TableOf(reflect.TypeFor[U](), reflect.TypeFor[V]())}
}
