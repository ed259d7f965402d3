package window

import (
	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/eventtime"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/state"
)

// general is the operator of windows of any kind with any trigger.
type general[K comparable, A any] struct {
	*operator.Timing[K, Window]
	Spec[K, A]
	trigger Trigger
	// lazy: the trigger is the usual one of event time. A window then has one timer, which looks when it is due whether the
	// window has grown.
	lazy    bool
	fire    func(*Fired[K], *A)
	keys    *state.Table[K, []held[A]]
	hash    func(K) uint64
	f       *Fired[K]
	ctx     *TriggerContext
	current Window // that the trigger is asked about
	spare   [][]held[A]
	windows []Window
}

// held is what a key has in one window.
type held[A any] struct {
	W       Window
	Full    bool // Acc holds something
	Trigger TriggerState
	// Of lazy windows: the time of the timer, and whether the window has fired at its end.
	Timer int64
	Fired bool
	Acc   A
}

func newGeneral[K comparable, A any](s Spec[K, A], c *operator.Context, op int, fire func(*Fired[K], *A)) (*general[K, A], error) {
	timing, err := operator.NewTiming[Window](c, op, s.Key)
	if err != nil {
		return nil, err
	}
	kc, err := codec.Of[K]()
	if err != nil {
		return nil, operator.User(err)
	}
	g := &general[K, A]{Timing: timing, Spec: s, trigger: s.Trigger, fire: fire, hash: s.Key.Hasher(), f: &Fired[K]{}}
	g.keys = state.NewTable[K, []held[A]](kc.Keeper(), g.hash)
	part, err := state.NewTablePart("windows", g.keys, c.MaxParallelism, g.hash)
	if err == nil {
		err = timing.Keyed.Register(part)
	}
	if err != nil {
		return nil, operator.User(err)
	}
	switch {
	case s.Trigger != nil:
	case s.Global:
		g.trigger = Quiet{}
	case s.Processing:
		g.trigger = ProcessingTimeTrigger{}
	default:
		g.trigger, g.lazy = EventTimeTrigger{}, true
	}
	g.Timing.Fire = g.due
	g.ctx = &TriggerContext{set: g.setTimer}
	return g, nil
}

func (g *general[K, A]) setTimer(at int64, processing, del bool) {
	switch {
	case processing && del:
		g.DeleteProcessingTimer(at, g.current)
	case processing:
		g.SetProcessingTimer(at, g.current)
	case del:
		// The timer at which the window is given up is not the trigger's to delete.
		if at != g.cleanup(g.current) {
			g.DeleteTimer(at, g.current)
		}
	default:
		g.SetTimer(at, g.current)
	}
}

// cleanup is when a window is given up.
func (g *general[K, A]) cleanup(w Window) int64 {
	if g.Processing {
		return w.MaxTimestamp()
	}
	return w.CleanupTime(g.Lateness)
}

// isLate tells whether a window has been given up.
func (g *general[K, A]) isLate(w Window) bool {
	return !g.Processing && !g.Global && g.cleanup(w) <= g.Watermark
}

// assign gives the windows of a time.
func (g *general[K, A]) assign(ts int64) []Window {
	ws := g.windows[:0]
	switch {
	case g.Global:
		ws = append(ws, eventtime.Everything)
	case g.Gap > 0:
		ws = append(ws, Window{Start: ts, End: eventtime.After(ts, g.Gap)})
	default:
		for start := eventtime.Slot(ts, g.Slide, g.Offset); start > ts-g.Size; start -= g.Slide {
			ws = append(ws, Window{Start: start, End: eventtime.After(start, g.Size)})
		}
	}
	g.windows = ws
	return ws
}

func (in Input[K, T, A]) general(g *general[K, A]) (any, error) {
	late, err := lateOf[T](g.C, g.Op, in.Late)
	if err != nil {
		return nil, err
	}
	c := g.C
	var add func(acc *A, v *T, fresh bool)
	var addAt func(acc *A, v *T, at int64)
	if in.AddAt != nil {
		addAt = in.AddAt()
	} else {
		add = in.Add()
	}
	return operator.Emit[T](func(v *T) {
		c.Op = g.Op
		ts := c.Time
		if g.Processing || g.Global && ts == eventtime.None {
			ts = c.Now
		}
		if ts == eventtime.None {
			operator.Abort(operator.User(errNoTime))
		}
		k := in.Of(*v)
		h := g.hash(k)
		g.Keyed.SetKey(k, h)
		if in.GapOf != nil {
			if g.Gap = in.GapOf(v); g.Gap < 1 {
				operator.Abort(operator.User(errGap))
			}
		}
		before := c.Time
		taken := false
		ws := g.assign(ts)
		for _, w := range ws {
			i, list := g.place(k, h, w)
			if i < 0 {
				continue // late
			}
			taken = true
			one := &(*list)[i]
			if addAt != nil {
				addAt(&one.Acc, v, before)
			} else {
				add(&one.Acc, v, !one.Full)
			}
			one.Full = true
			if r := in.decide(g, v, ts, one); r != Continue {
				g.obey(&(*list)[i], r)
			}
		}
		c.Time = before
		if !taken && !g.Processing && eventtime.After(ts, g.Lateness) <= g.Watermark {
			late(v)
		}
	}), nil
}

// decide asks the trigger about a record.
func (in Input[K, T, A]) decide(g *general[K, A], v *T, ts int64, one *held[A]) Result {
	if g.lazy {
		if one.W.MaxTimestamp() <= g.Watermark {
			one.Fired = true
			return Fire
		}
		return Continue
	}
	c := g.ask(one)
	if in.OnElement != nil {
		return in.OnElement(v, ts, one.W, c)
	}
	return g.trigger.OnElement(ts, one.W, c)
}

// ask prepares the trigger's context.
func (g *general[K, A]) ask(one *held[A]) *TriggerContext {
	g.current = one.W
	c := g.ctx
	c.State, c.Watermark, c.Now = &one.Trigger, g.Watermark, g.C.Now
	return c
}

// place finds or makes what the key has in a window, which grows where windows merge; -1 for one that was given up.
func (g *general[K, A]) place(k K, h uint64, w Window) (int, *[]held[A]) {
	if g.Gap > 0 {
		return g.session(k, h, w)
	}
	if g.isLate(w) {
		return -1, nil
	}
	list, fresh := g.keys.At(k, h)
	if fresh {
		*list = g.newList()
	}
	for i := range *list {
		if (*list)[i].W == w {
			return i, list
		}
	}
	g.open(list, w)
	return len(*list) - 1, list
}

func (g *general[K, A]) newList() []held[A] {
	if n := len(g.spare); n > 0 {
		l := g.spare[n-1]
		g.spare = g.spare[:n-1]
		return l
	}
	return make([]held[A], 0, 1)
}

// open begins a window.
func (g *general[K, A]) open(list *[]held[A], w Window) {
	one := held[A]{W: w}
	if g.lazy {
		one.Timer = w.MaxTimestamp()
		if w.MaxTimestamp() <= g.Watermark {
			one.Timer = g.cleanup(w)
		}
		g.SetTimer(one.Timer, Window{})
	} else {
		g.setCleanup(w)
	}
	*list = append(*list, one)
}

func (g *general[K, A]) setCleanup(w Window) {
	if g.Global || g.cleanup(w) == eventtime.Max {
		return
	}
	if g.Processing {
		g.SetProcessingTimer(g.cleanup(w), w)
	} else {
		g.SetTimer(g.cleanup(w), w)
	}
}

// session joins the sessions that a record's window touches.
func (g *general[K, A]) session(k K, h uint64, w Window) (int, *[]held[A]) {
	list := g.keys.Get(k, h)
	if list != nil {
		for i := range *list {
			if one := &(*list)[i]; one.W.Start <= w.Start && w.End <= one.W.End && !g.isLate(one.W) {
				return i, list
			}
		}
	}
	whole := w
	if list != nil {
		for i := range *list {
			if (*list)[i].W.Touches(w) {
				whole = whole.Cover((*list)[i].W)
			}
		}
	}
	if g.isLate(whole) {
		return -1, nil
	}
	if list == nil {
		list, _ = g.keys.At(k, h)
		*list = g.newList()
	}
	at := -1
	for i := 0; i < len(*list); i++ {
		if !(*list)[i].W.Touches(w) {
			continue
		}
		if at < 0 {
			at = i
			continue
		}
		g.absorb(&(*list)[at], &(*list)[i])
		*list = append((*list)[:i], (*list)[i+1:]...)
		clear((*list)[len(*list) : len(*list)+1])
		i--
	}
	if at < 0 {
		g.open(list, whole)
		return len(*list) - 1, list
	}
	g.grow(&(*list)[at], whole)
	return at, list
}

// absorb joins a session into another one.
func (g *general[K, A]) absorb(one, other *held[A]) {
	if other.Full {
		if one.Full {
			g.Merge(&one.Acc, &other.Acc)
		} else {
			one.Acc, one.Full = other.Acc, true
		}
	}
	one.Trigger.Count += other.Trigger.Count
	if n := other.Trigger.Next; n != 0 && (one.Trigger.Next == 0 || n < one.Trigger.Next) {
		one.Trigger.Next = n
	}
	g.dropTimers(other)
}

// dropTimers takes back the timers of a window that is no more.
func (g *general[K, A]) dropTimers(one *held[A]) {
	if g.lazy {
		return // another window of the key may have one of the same time; a timer that is nobody's does nothing
	}
	w := one.W
	g.DeleteTimer(w.MaxTimestamp(), w)
	g.DeleteProcessingTimer(w.MaxTimestamp(), w)
	if n := one.Trigger.Next; n != 0 {
		g.DeleteTimer(n, w)
		g.DeleteProcessingTimer(n, w)
	}
	if g.cleanup(w) != eventtime.Max {
		g.DeleteTimer(g.cleanup(w), w)
	}
}

// grow makes a session longer.
func (g *general[K, A]) grow(one *held[A], w Window) {
	if one.W == w {
		return
	}
	if g.lazy {
		one.W = w
		if w.MaxTimestamp() > g.Watermark {
			one.Fired = false
			if one.Timer > w.MaxTimestamp() { // it waited for late records only
				one.Timer = w.MaxTimestamp()
				g.SetTimer(one.Timer, Window{})
			}
		}
		return
	}
	next := one.Trigger.Next
	g.dropTimers(one)
	one.Trigger.Next = next
	one.W = w
	g.setCleanup(w)
	g.trigger.Merged(w, g.ask(one))
}

// obey emits, and drops the content.
func (g *general[K, A]) obey(one *held[A], r Result) {
	if r&Fire != 0 && one.Full {
		g.C.Time = one.W.MaxTimestamp()
		*g.f = Fired[K]{g.Keyed.Key(), one.W, g.Watermark, g.C.Now}
		g.C.Op = g.Op
		g.fire(g.f, &one.Acc)
	}
	if r&Purge != 0 {
		var zero A
		one.Acc, one.Full = zero, false
	}
}

// due is called for each timer.
func (g *general[K, A]) due(t state.Timer[K, Window], processing bool) {
	k, h := g.Keyed.Key(), g.Keyed.Hash()
	list := g.keys.Get(k, h)
	if list == nil {
		return
	}
	if g.lazy {
		g.dueLazy(list, t.At)
	} else {
		for i := range *list {
			one := &(*list)[i]
			if one.W != t.NS {
				continue
			}
			if processing {
				g.obey(one, g.trigger.OnProcessingTime(t.At, one.W, g.ask(one)))
			} else {
				g.obey(one, g.trigger.OnEventTime(t.At, one.W, g.ask(one)))
			}
			if !g.Global && processing == g.Processing && t.At == g.cleanup(one.W) {
				g.dropTimers(one)
				remove(list, i)
			}
			break
		}
	}
	g.leave(k, h, list)
}

// dueLazy looks at the windows whose timer it is.
func (g *general[K, A]) dueLazy(list *[]held[A], at int64) {
	for i := 0; i < len(*list); i++ {
		one := &(*list)[i]
		if one.Timer != at {
			continue
		}
		if one.W.MaxTimestamp() > at { // it has grown
			one.Timer = one.W.MaxTimestamp()
			g.SetTimer(one.Timer, Window{})
			continue
		}
		if !one.Fired {
			one.Fired = true
			g.obey(one, Fire)
		}
		if g.cleanup(one.W) <= at {
			remove(list, i)
			i--
			continue
		}
		one.Timer = g.cleanup(one.W)
		g.SetTimer(one.Timer, Window{})
	}
}

func remove[A any](list *[]held[A], i int) {
	l := *list
	copy(l[i:], l[i+1:])
	clear(l[len(l)-1:])
	*list = l[:len(l)-1]
}

// leave forgets a key without windows.
func (g *general[K, A]) leave(k K, h uint64, list *[]held[A]) {
	if len(*list) > 0 {
		return
	}
	if len(g.spare) < 1024 && cap(*list) > 0 {
		g.spare = append(g.spare, *list)
	}
	g.keys.Delete(k, h)
}
