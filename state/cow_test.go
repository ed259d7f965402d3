package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/codec"
)

// nested is a value of everything that two owners could share.
type nested struct {
	N    int64
	List []int32
	Map  map[string]int64
	Ptr  *nested
}

// fold and unfold change a value in place, through all that it refers to.
func (v *nested) fold(n int64) {
	v.N += n
	v.List = append(v.List, int32(n))
	v.List[0]++
	if v.Map == nil || len(v.Map) > 0 && n%3 == 0 {
		v.Map = map[string]int64{} // one entry: the order of more is not defined
	}
	for k := range v.Map {
		v.Map[k] += n
	}
	if len(v.Map) == 0 {
		v.Map["m"] = n
	}
	if v.Ptr == nil || n%7 == 0 {
		v.Ptr = &nested{}
	}
	v.Ptr.N -= n
	if len(v.List) > 9 {
		v.List = v.List[:1]
	}
}

// cowKey makes the timers' and tables' hasher one with a buffer of its own.
type cowKey struct{ Name string }

// everything is an operator with all kinds of state.
type everything struct {
	rnd    *rand.Rand
	key    *codec.Key[cowKey]
	k      *Keyed[cowKey]
	now    int64
	flat   *Value[cowKey, int64]
	word   *Value[cowKey, string]
	deep   *Value[cowKey, nested]
	aged   *Value[cowKey, nested]
	list   *List[cowKey, nested]
	ints   *List[cowKey, int64]
	maps   *Map[cowKey, int32, nested]
	counts *Map[cowKey, string, int64]
	sum    *Reducing[cowKey, nested]
	mean   *Aggregating[cowKey, int64, nested, int64]
	timers *Timers[cowKey, int32]
	table  *Table[cowKey, []nested]
	slab   *Table[cowKey, nested]
	part   []Part
	op     Operator
	rules  *BroadcastMap[string, nested]
	split  *OperatorList[int64]
	union  *OperatorList[nested]
}

var cowGroups = Groups{First: 2, End: 6, Max: 8}

func newEverything(t *testing.T, seed uint64) *everything {
	x := &everything{rnd: rand.New(rand.NewPCG(seed, 71))}
	key, err := codec.KeyOf[cowKey]()
	if err != nil {
		t.Fatal(err)
	}
	x.key = key
	if x.k, err = NewKeyed(key, cowGroups); err != nil {
		t.Fatal(err)
	}
	x.k.Now = func() int64 { return x.now }
	ttl := TTL{After: 50 * time.Millisecond, OnRead: seed%2 == 0, ReturnExpired: seed%3 == 0}
	keep, hash := x.k.Keep(), key.Hasher()
	x.table, x.slab = NewTable[cowKey, []nested](keep, hash), NewSlabTable[cowKey, nested](keep)
	errs := make([]error, 17)
	x.flat, errs[0] = NewValue[int64](x.k, "flat", TTL{})
	x.word, errs[1] = NewValue[string](x.k, "word", TTL{})
	x.deep, errs[2] = NewValue[nested](x.k, "deep", TTL{})
	x.aged, errs[3] = NewValue[nested](x.k, "aged", ttl)
	x.list, errs[4] = NewList[nested](x.k, "list", TTL{})
	x.ints, errs[5] = NewList[int64](x.k, "ints", ttl)
	x.maps, errs[6] = NewMap[int32, nested](x.k, "maps", TTL{})
	x.counts, errs[7] = NewMap[string, int64](x.k, "counts", ttl)
	x.sum, errs[8] = NewReducing(x.k, "sum", ttl, func(acc, v *nested) { acc.fold(v.N) })
	x.mean, errs[9] = NewAggregating(x.k, "mean", TTL{}, func(acc *nested, v *int64) { acc.fold(*v) },
		func(acc *nested) int64 { acc.fold(1); return acc.N }) // a result that changes what it is made of
	x.timers, errs[10] = NewTimers[int32](x.k, "timers")
	table, err1 := NewTablePart("table", x.table, cowGroups.Max, hash)
	slab, err2 := NewTablePart("slab", x.slab, cowGroups.Max, hash)
	errs[11], errs[12] = err1, err2
	x.part = append(x.k.Parts(), table, slab)
	x.rules, errs[13] = NewBroadcastMap[string, nested](&x.op, "rules")
	x.split, errs[14] = NewOperatorList[int64](&x.op, "split", Split)
	x.union, errs[15] = NewOperatorList[nested](&x.op, "union", Union)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return x
}

// pick makes a key of the groups owned the current one.
func (x *everything) pick(keys int) (cowKey, uint64) {
	for {
		k := cowKey{fmt.Sprint("key-", x.rnd.IntN(keys))}
		h := x.key.Hash(k)
		if g := codec.KeyGroup(h, cowGroups.Max); g >= cowGroups.First && g < cowGroups.End {
			x.k.SetKey(k, h)
			return k, h
		}
	}
}

// change does something at random; grown says how many keys there may be.
func (x *everything) change(keys int) {
	k, h := x.pick(keys)
	n := x.rnd.Int64N(1000)
	x.now += n % 2
	switch x.rnd.IntN(14) {
	case 0:
		*x.flat.Ref() += n
	case 1:
		x.flat.Set(n)
		x.word.Set(fmt.Sprint("word ", n))
	case 2:
		x.deep.Ref().fold(n)
		x.aged.Ref().fold(n)
	case 3:
		x.changeGiven(n)
	case 4:
		x.clear(n)
	case 5:
		x.list.Add(nested{N: n})
		x.ints.Add(n)
		x.sum.Add(nested{N: n, List: []int32{1}})
		x.mean.Add(n)
	case 6:
		x.list.Set([]nested{{N: n}, {N: n + 1}})
		x.ints.Set([]int64{n})
		x.deep.Set(nested{N: n, List: []int32{2}})
	case 7:
		x.maps.Ref(int32(n % 50)).fold(n)
		x.counts.Put(fmt.Sprint(n%50), n)
	case 8:
		x.maps.Put(int32(n%50), nested{N: n})
		*x.counts.Ref("one") += n
	case 9:
		x.maps.Delete(int32(n % 50))
		x.counts.Delete(fmt.Sprint(n % 50))
	case 10:
		x.timers.Set(x.now+n%40, k, h, int32(n%5))
		x.timers.Delete(x.now+n%13, k, h, int32(n%5))
	case 11:
		x.timers.Pop(x.now - 20)
	case 12:
		x.changeTables(k, h, n)
	case 13:
		x.changeOperator(n)
	}
}

// changeGiven changes what reading has given.
func (x *everything) changeGiven(n int64) {
	if v, ok := x.deep.Get(); ok && v.Ptr != nil { // to append would go to memory of the state's or not, as Go has it
		v.List[0]--
		v.Ptr.N++
		v.Map["m"]++
	}
	for i := range x.list.Get() {
		x.list.Get()[i].fold(n)
	}
	if l := x.ints.Get(); len(l) > 0 {
		l[0] = n
	}
	if v, ok := x.maps.Get(int32(n % 50)); ok && len(v.List) > 0 {
		v.List[0]--
	}
	for _, v := range x.maps.All() {
		if v.Ptr != nil {
			v.Ptr.N++
		}
	}
	x.mean.Result()
}

func (x *everything) clear(n int64) {
	switch n % 8 {
	case 0:
		x.k.Forget()
	case 1:
		x.deep.Clear()
	case 2:
		x.list.Clear()
	case 3:
		x.maps.Clear()
	case 4:
		x.flat.Clear()
	case 5:
		x.sum.Clear()
	}
}

func (x *everything) changeTables(k cowKey, h uint64, n int64) {
	if n%4 == 0 {
		x.table.Delete(k, h)
	} else {
		v, _ := x.table.At(k, h)
		if *v = append(*v, nested{}); len(*v) > 3 {
			*v = (*v)[:2]
		}
		for i := range *v {
			(*v)[i].fold(n)
		}
	}
	v, _ := x.slab.At(k, h)
	v.fold(n)
	switch {
	case n == 0:
		x.slab.Clear()
	case n == 1:
		x.slab.Reset()
	case n < 10:
		x.slab.Each(func(_ *cowKey, v *nested) { v.fold(n) })
	}
}

func (x *everything) changeOperator(n int64) {
	name := fmt.Sprint(n % 60)
	switch n % 5 {
	case 0:
		x.rules.Remove(name)
	case 1:
		x.rules.Put(name, nested{N: n})
	case 2:
		v, _ := x.rules.At(name, x.rules.e.hash(name))
		v.fold(n)
	case 3:
		if v, ok := x.rules.Lookup(name); ok && len(v.List) > 0 {
			v.List[0]++
		}
	}
	if x.split.Values, x.union.Values = append(x.split.Values, n), append(x.union.Values, nested{}); len(x.split.Values) > 20 {
		x.split.Values, x.union.Values = x.split.Values[:7], x.union.Values[:7]
	}
	x.split.Values[0]++
	x.union.Values[0].fold(n)
}

// taken is a snapshot under way: what it must be, by the blocking way, and what reads it.
type taken struct {
	name   string
	want   [][]byte
	got    func() [][]byte
	forget func()
}

// freeze takes all parts both ways.
func (x *everything) freeze() []taken {
	var all []taken
	for _, p := range x.part {
		one := taken{name: p.Name()}
		for g := cowGroups.First; g < cowGroups.End; g++ {
			one.want = append(one.want, p.Snapshot(g, nil))
		}
		f := p.(Freezer).Freeze()
		one.forget = f.Release
		one.got = func() (out [][]byte) {
			for g := cowGroups.First; g < cowGroups.End; g++ {
				out = append(out, f.Group(g, nil))
			}
			return out
		}
		all = append(all, one)
	}
	for name, p := range x.op.Parts() {
		f := FreezeElements(p)
		all = append(all, taken{name, p.Snapshot(), f.Elements, f.Release})
	}
	return all
}

// all is the state by the blocking way.
func (x *everything) all() (names []string, pieces [][]byte) {
	for _, p := range x.part {
		for g := cowGroups.First; g < cowGroups.End; g++ {
			names, pieces = append(names, fmt.Sprint(p.Name(), ", group ", g)), append(pieces, p.Snapshot(g, nil))
		}
	}
	for _, p := range []OperatorPart{x.rules, x.split, x.union} {
		names, pieces = append(names, p.Name()), append(pieces, bytes.Join(p.Snapshot(), nil))
	}
	return names, pieces
}

// Snapshots that are read while the task goes on are of the moment at which they were taken: all kinds of state, changed in all ways,
// several snapshots at once. The task has the state in the end that it would have had without them.
func TestSnapshotsAreOfTheirMoment(t *testing.T) {
	for seed := range uint64(12) {
		x, without := newEverything(t, seed), newEverything(t, seed)
		keys := []int{30, 300, 3000}[seed%3]
		change := func(times int) {
			for range times {
				x.change(keys)
				without.change(keys)
			}
		}
		change(4 * keys)
		var readers sync.WaitGroup
		slots := make(chan struct{}, 1+seed%3)
		for round := range 12 {
			slots <- struct{}{}
			all := x.freeze()
			readers.Go(func() {
				for _, one := range all {
					one.check(t, fmt.Sprintf("seed %d, round %d, %s", seed, round, one.name))
				}
				<-slots
			})
			change(600)
		}
		readers.Wait()
		change(100)
		names, got := x.all()
		_, want := without.all()
		for i, name := range names {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("seed %d, %s: %d bytes in the end, without snapshots %d", seed, name, len(got[i]), len(want[i]))
			}
		}
	}
}

// check reads a snapshot and lets it go.
func (one *taken) check(t *testing.T, what string) {
	got := one.got()
	if len(got) != len(one.want) {
		t.Errorf("%s: %d pieces, expected %d", what, len(got), len(one.want))
		return
	}
	for i := range got {
		if !bytes.Equal(got[i], one.want[i]) {
			t.Errorf("%s, piece %d: %d bytes %.80x, expected %d: %.80x", what, i, len(got[i]), got[i], len(one.want[i]), one.want[i])
		}
	}
	one.forget()
}
