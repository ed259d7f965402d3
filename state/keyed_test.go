package state

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/weft-project/weft/codec"
)

func unsafeString(b []byte) string { return unsafe.String(&b[0], len(b)) }

func keyedOf[K comparable](t testing.TB, maxP, p, subtask int) *Keyed[K] {
	t.Helper()
	key, err := codec.KeyOf[K]()
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKeyed(key, GroupsOf(maxP, p, subtask))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *Keyed[K]) use(key K) *Keyed[K] {
	k.SetKey(key, k.HashOf(key))
	return k
}

func must[S any](s S, err error) func(testing.TB) S {
	return func(t testing.TB) S {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func TestGroupsAreThoseOfTheExchange(t *testing.T) {
	for _, maxP := range []int{1, 7, 128} {
		for p := 1; p <= min(maxP, 20); p++ {
			for g := range maxP {
				s := codec.SubtaskOf(g, maxP, p)
				if own := GroupsOf(maxP, p, s); g < own.First || g >= own.End {
					t.Fatalf("group %d of %d belongs to subtask %d of %d, which has %d to %d", g, maxP, s, p, own.First, own.End)
				}
			}
			sum := 0
			for s := range p {
				own := GroupsOf(maxP, p, s)
				sum += own.End - own.First
			}
			if sum != maxP {
				t.Fatalf("%d subtasks have %d groups of %d", p, sum, maxP)
			}
		}
	}
}

func TestStateBelongsToTheKey(t *testing.T) {
	k := keyedOf[string](t, 128, 1, 0)
	value := must(NewValue[int64](k, "value", TTL{}))(t)
	list := must(NewList[string](k, "list", TTL{}))(t)
	entries := must(NewMap[string, int](k, "map", TTL{}))(t)
	sum := must(NewReducing(k, "sum", TTL{}, func(acc, v *int64) { *acc += *v }))(t)
	mean := must(NewAggregating(k, "mean", TTL{}, func(acc *[2]int64, v *int64) { acc[0] += *v; acc[1]++ }, func(acc *[2]int64) int64 { return acc[0] / acc[1] }))(t)
	for _, key := range []string{"a", "b"} {
		k.use(key)
		if _, ok := value.Get(); ok || list.Get() != nil || entries.Size() != 0 {
			t.Errorf("key %s has state before anything was set", key)
		}
		value.Set(int64(len(key)))
		*value.Ref() += 10
		list.Add(key + "1")
		list.Add(key + "2")
		entries.Put("x", 1)
		entries.Put(key, 2)
		*entries.Ref("x") += 5
		for i := range int64(4) {
			sum.Add(i)
			mean.Add(i * 2)
		}
	}
	k.use("a")
	value.Clear()
	entries.Delete("a")
	list.Set([]string{"new"})
	k.use("b")
	if v, ok := value.Get(); v != 11 || !ok || !slices.Equal(list.Get(), []string{"b1", "b2"}) {
		t.Errorf("key b: value %d, list %q", v, list.Get())
	}
	var pairs []string
	for u, v := range entries.All() {
		pairs = append(pairs, fmt.Sprint(u, v))
	}
	if v, _ := sum.Get(); !slices.Equal(pairs, []string{"x6", "b2"}) || v != 6 {
		t.Errorf("key b: map %q, sum %d", pairs, v)
	}
	if v, _ := mean.Result(); v != 3 {
		t.Errorf("key b: mean %d", v)
	}
	k.use("a")
	if _, ok := value.Get(); ok || entries.Size() != 1 || !slices.Equal(list.Get(), []string{"new"}) {
		t.Errorf("key a: map of %d, list %q, value there: %t", entries.Size(), list.Get(), ok)
	}
	if entries.Delete("x"); entries.Len() != 1 {
		t.Errorf("%d keys have a map, expected 1", entries.Len())
	}
	if _, err := NewValue[int64](k, "value", TTL{}); err == nil {
		t.Error("a name was declared twice")
	}
}

// What is kept does not refer to what it was given.
func TestStateKeepsCopies(t *testing.T) {
	k := keyedOf[int64](t, 128, 1, 0)
	value := must(NewValue[[]string](k, "value", TTL{}))(t)
	list := must(NewList[string](k, "list", TTL{}))(t)
	k.use(1)
	buffer := []byte("text")
	given := []string{unsafeString(buffer)}
	value.Set(given)
	list.Add(given[0])
	copy(buffer, "XXXX")
	given[0] = "other"
	if v, _ := value.Get(); v[0] != "text" || list.Get()[0] != "text" {
		t.Errorf("kept %q and %q", v, list.Get())
	}
}

func TestStateExpires(t *testing.T) {
	for _, ttl := range []TTL{{After: 10 * time.Millisecond}, {After: 10 * time.Millisecond, OnRead: true}, {After: 10 * time.Millisecond, ReturnExpired: true}} {
		k := keyedOf[string](t, 128, 1, 0)
		now := int64(1000)
		k.Now = func() int64 { return now }
		value := must(NewValue[int64](k, "value", ttl))(t)
		entries := must(NewMap[string, int](k, "map", ttl))(t)
		sum := must(NewReducing(k, "sum", ttl, func(acc, v *int64) { *acc += *v }))(t)
		k.use("a")
		value.Set(1)
		entries.Put("x", 1)
		sum.Add(5)
		now = 1008
		_, ok := value.Get()
		now = 1012
		_, later := value.Get()
		if want := ttl.OnRead || ttl.ReturnExpired; !ok || later != want {
			t.Errorf("%+v: there after 8 ms: %t, after 12 ms: %t, expected %t", ttl, ok, later, want)
		}
		now = 1100
		sum.Add(7)
		if v, _ := sum.Get(); !ttl.ReturnExpired && v != 7 {
			t.Errorf("%+v: sum %d, expected that of the new life, 7", ttl, v)
		}
		if want := ttl.ReturnExpired; (entries.Size() == 1) != want {
			t.Errorf("%+v: map of %d entries", ttl, entries.Size())
		}
	}
}

// Entries that nobody asks for any more go too, as others are written.
func TestExpiredStateIsSwept(t *testing.T) {
	k := keyedOf[int64](t, 4, 1, 0)
	now := int64(0)
	k.Now = func() int64 { return now }
	value := must(NewValue[int64](k, "value", TTL{After: time.Second}))(t)
	for i := range int64(10_000) {
		now = i
		k.use(i)
		value.Set(i)
	}
	if n := value.Len(); n < 1000 || n > 2100 {
		t.Errorf("%d entries are kept, of which 1000 live", n)
	}
}

// Snapshots by key group, restored at another parallelism, hold everything once.
func TestSnapshotsAreRescaled(t *testing.T) {
	const maxP = 16
	type parts struct {
		k       *Keyed[string]
		value   *Value[string, []string]
		list    *List[string, int32]
		entries *Map[string, int64, string]
		timers  *Timers[string, int64]
	}
	makeParts := func(p, i int) parts {
		k := keyedOf[string](t, maxP, p, i)
		return parts{k, must(NewValue[[]string](k, "value", TTL{}))(t), must(NewList[int32](k, "list", TTL{}))(t),
			must(NewMap[int64, string](k, "map", TTL{}))(t), must(NewTimers[int64](k, "timers"))(t)}
	}
	owner := func(key string, p int) int {
		return codec.SubtaskOf(codec.KeyGroup(keyedOf[string](t, 1, 1, 0).HashOf(key), maxP), maxP, p)
	}
	old := []parts{makeParts(3, 0), makeParts(3, 1), makeParts(3, 2)}
	var keys []string
	for i := range 200 {
		key := fmt.Sprint("key", i)
		keys = append(keys, key)
		s := old[owner(key, 3)]
		s.k.use(key)
		s.value.Set([]string{key, "x"})
		s.list.Add(int32(i))
		s.entries.Put(int64(i), key)
		s.timers.Set(int64(i%7), key, s.k.Hash(), int64(i))
	}
	snapshots := map[int]map[string][]byte{}
	for _, s := range old {
		for g := s.k.Groups().First; g < s.k.Groups().End; g++ {
			snapshots[g] = s.k.Snapshot(g)
		}
	}
	restored := []parts{makeParts(2, 0), makeParts(2, 1)}
	for _, s := range restored {
		for g := s.k.Groups().First; g < s.k.Groups().End; g++ {
			if err := s.k.Restore(g, snapshots[g]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, key := range keys {
		s := restored[owner(key, 2)]
		s.k.use(key)
		v, _ := s.value.Get()
		if name, _ := s.entries.Get(int64(i)); len(v) != 2 || v[0] != key || !slices.Equal(s.list.Get(), []int32{int32(i)}) || name != key {
			t.Fatalf("key %s: value %q, list %v, map %q", key, v, s.list.Get(), name)
		}
		if s.timers.Set(int64(i%7), key, s.k.Hash(), int64(i)) {
			t.Fatalf("key %s has lost its timer", key)
		}
	}
	if n := restored[0].value.Len() + restored[1].value.Len(); n != len(keys) {
		t.Errorf("%d values, expected %d", n, len(keys))
	}
	for name, b := range snapshots[0] {
		if err := restored[0].k.Restore(0, map[string][]byte{name: b[:len(b)/2]}); err == nil && len(b) > 4 {
			t.Errorf("%s: half a snapshot was taken", name)
		}
	}
	if err := restored[0].k.Restore(0, map[string][]byte{"other": nil}); err == nil {
		t.Error("a part was restored that was not declared")
	}
}

// Timers come by time, then by the order in which they were set; setting one again is setting it once.
func TestTimersAreASortedSet(t *testing.T) {
	type timer struct {
		at  int64
		key string
		ns  int64
	}
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		k := keyedOf[string](t, 8, 1, 0)
		timers := must(NewTimers[int64](k, "timers"))(t)
		var want []timer // in order of setting
		now := int64(0)
		for range 2000 {
			x := timer{now + rnd.Int64N(30), fmt.Sprint("k", rnd.IntN(4)), rnd.Int64N(2)}
			k.use(x.key)
			i := slices.Index(want, x)
			switch rnd.IntN(8) {
			case 0, 1:
				if got := timers.Delete(x.at, x.key, k.Hash(), x.ns); got != (i >= 0) {
					t.Fatalf("seed %d: delete %v: %t", seed, x, got)
				}
				if i >= 0 {
					want = slices.Delete(want, i, i+1)
				}
			case 2:
				now += rnd.Int64N(4)
				for {
					due, _, ok := timers.Pop(now)
					first := -1
					for j, w := range want {
						if w.at <= now && (first < 0 || w.at < want[first].at) {
							first = j
						}
					}
					if ok != (first >= 0) || ok && (timer{due.At, due.Key, due.NS}) != want[first] {
						t.Fatalf("seed %d: popped %v %t, expected %v", seed, due, ok, first)
					}
					if !ok {
						break
					}
					want = slices.Delete(want, first, first+1)
				}
			default:
				if got := timers.Set(x.at, x.key, k.Hash(), x.ns); got != (i < 0) {
					t.Fatalf("seed %d: set %v: %t", seed, x, got)
				}
				if i < 0 {
					want = append(want, x)
				}
			}
			if timers.Len() != len(want) {
				t.Fatalf("seed %d: %d timers, expected %d", seed, timers.Len(), len(want))
			}
		}
	}
}

// Timers that are set and taken back do not pile up.
func TestDeletedTimersGo(t *testing.T) {
	k := keyedOf[int64](t, 8, 1, 0)
	timers := must(NewTimers[int64](k, "timers"))(t)
	k.use(1)
	for i := range int64(100_000) {
		timers.Set(i+1_000_000, 1, k.Hash(), 0)
		if i > 0 {
			timers.Delete(i-1+1_000_000, 1, k.Hash(), 0)
		}
	}
	if timers.Len() != 1 || len(timers.times) > 5000 || len(timers.buckets) > 5000 {
		t.Errorf("%d timers are set, %d times are kept", timers.Len(), len(timers.times))
	}
	if at, ok := timers.Next(); !ok || at != 1_099_999 {
		t.Errorf("next at %d", at)
	}
}

func TestOperatorStateIsDealtOut(t *testing.T) {
	var old [][][]byte
	for i := range 3 {
		o := &Operator{}
		l := must(NewOperatorList[string](o, "list", Split))(t)
		for j := range 5 {
			l.Values = append(l.Values, fmt.Sprint(i, j))
		}
		old = append(old, l.Snapshot())
	}
	for _, how := range []Redistribution{Split, Union} {
		total := 0
		for i := range 2 {
			l := must(NewOperatorList[string](&Operator{}, "list", how))(t)
			if err := l.Restore(Redistribute(how, old, i, 2)); err != nil {
				t.Fatal(err)
			}
			total += len(l.Values)
		}
		if want := 15 * (1 + int(how)); total != want {
			t.Errorf("redistribution %d: %d values, expected %d", how, total, want)
		}
	}
	m := must(NewBroadcastMap[string, int](&Operator{}, "rules"))(t)
	m.Put("a", 1)
	m.Put("b", 2)
	m.Remove("a")
	again := must(NewBroadcastMap[string, int](&Operator{}, "rules"))(t)
	if err := again.Restore(Redistribute(Broadcast, [][][]byte{m.Snapshot(), m.Snapshot()}, 4, 5)); err != nil {
		t.Fatal(err)
	}
	if v, ok := again.Lookup("b"); v != 2 || !ok || again.Len() != 1 {
		t.Errorf("restored %d entries, b is %d", again.Len(), v)
	}
}

// State is read and changed without an allocation; a value set for a known key neither.
func TestNoAllocationInKnownState(t *testing.T) {
	k := keyedOf[int64](t, 128, 1, 0)
	value := must(NewValue[[2]int64](k, "value", TTL{}))(t)
	entries := must(NewMap[int64, int64](k, "map", TTL{}))(t)
	timers := must(NewTimers[struct{}](k, "timers"))(t)
	step := func(i int64) {
		k.use(i % 100)
		v, _ := value.Get()
		v[0]++
		value.Set(v)
		value.Ref()[1]++
		entries.Put(i%3, i)
		*entries.Ref(1)++
	}
	for i := range int64(1000) {
		step(i)
	}
	i := int64(0)
	if n := testing.AllocsPerRun(1000, func() { step(i); i++ }); n != 0 {
		t.Errorf("%v allocations for a record", n)
	}
	at := int64(0)
	cycle := func() {
		at++
		for key := range int64(10) {
			k.use(key)
			timers.Set(at/10*10+10, key, k.Hash(), struct{}{})
		}
		for {
			if _, _, ok := timers.Pop(at); !ok {
				break
			}
		}
	}
	for range 100 {
		cycle()
	}
	if n := testing.AllocsPerRun(1000, cycle); n > 0.2 {
		t.Errorf("%v allocations for ten timers", n)
	}
}
