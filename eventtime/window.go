package eventtime

// Window is the time from Start, inclusive, to End, exclusive.
type Window struct{ Start, End int64 }

// Everything is the only window of a stream whose windows are not of time.
var Everything = Window{None, Max}

// MaxTimestamp is the last millisecond of the window: a watermark of it ends the window.
func (w Window) MaxTimestamp() int64 {
	if w.End == Max {
		return Max
	}
	return w.End - 1
}

// Touches tells whether two windows overlap or follow each other without a gap.
func (w Window) Touches(o Window) bool { return w.Start <= o.End && w.End >= o.Start }

// Cover is the smallest window that holds both.
func (w Window) Cover(o Window) Window {
	return Window{min(w.Start, o.Start), max(w.End, o.End)}
}

// CleanupTime is when the state of a window that waits for late records is given up.
func (w Window) CleanupTime(lateness int64) int64 { return plus(w.MaxTimestamp(), lateness) }

// Slot is the start of the slot of length size that ts falls into; slots begin at offset and at each multiple of size from
// there, also before the epoch.
func Slot(ts, size, offset int64) int64 {
	rem := (ts - offset) % size
	if rem < 0 {
		rem += size
	}
	if start := ts - rem; start <= ts {
		return start
	}
	return None // ts is nearer to the beginning of time than a slot is long
}

// After is the end of a window of length size from start.
func After(start, size int64) int64 { return plus(start, size) }

// plus adds without passing Max.
func plus(a, b int64) int64 {
	if s := a + b; b <= 0 || s >= a {
		return s
	}
	return Max
}

// GCD is the greatest common divisor of two positive lengths: how long the panes are that windows of one length, beginning
// every other length, share.
func GCD(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
