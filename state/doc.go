// Package state is core: what operators remember. Tables from keys to values (table.go) hold everything: keyed state (keyed.go,
// value.go, list.go, mapstate.go, reducing.go) with expiry (ttl.go), timers (timers.go), operator state (operatorstate.go).
//
// Keys and values are typed; a table's index holds no pointers, and its pages hold none where the types have none, so the
// garbage collector has nothing to walk. Keyed state is kept in one table for each key group. The key and its hash are
// set once for a record (Keyed.SetKey), so a state's access costs one look into one table.
//
// What is kept is copied where it holds strings, slices or pointers: a kept word does not hold the batch it came in. What Get
// gives is the state's own; who changes what it refers to changes the state.
//
// Snapshots are taken and restored a key group at a time, by codecs (Part). At a barrier the task's goroutine only marks what there is
// (Freezer, frozen.go); another goroutine encodes it while the task goes on. What the task changes meanwhile is copied first: a page of
// a table before the first write to it, a value with slices, maps or pointers before it is first handed out (cow.go). Nobody
// locks or waits. What a state has handed out to be changed is therefore good until the record, timer or message is processed, and
// no longer: no snapshot is taken before. Views may overlap; a table copies until all have been let go.
package state
