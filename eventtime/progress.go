package eventtime

// Progress follows the timestamps of one stream: the watermark is the highest one, less a delay, less one millisecond.
type Progress struct {
	highest int64
	delay   int64
}

// NewProgress makes the progress of a stream whose records come at most delay milliseconds out of order.
func NewProgress(delay int64) Progress { return Progress{None + delay + 1, delay} }

// See takes a record's timestamp.
func (p *Progress) See(ts int64) {
	if ts > p.highest {
		p.highest = ts
	}
}

// Highest is the highest timestamp seen; none have been where Watermark is None.
func (p *Progress) Highest() int64 { return p.highest }

// Watermark is what may be said now; None before the first record.
func (p *Progress) Watermark() int64 { return p.highest - p.delay - 1 }

// Idleness finds out that a stream is idle: nothing has come for a time, by a clock that is read now and then.
type Idleness struct {
	timeout int64
	since   int64 // when a look found nothing new first; None after a record
	seen    int64
	idle    bool
}

// NewIdleness makes it; a timeout of 0 milliseconds means that the stream is never idle.
func NewIdleness(timeout int64) Idleness { return Idleness{timeout: timeout, since: None} }

// Look is told how many records have come in all and what time it is; changed tells that Idle is a new status.
func (i *Idleness) Look(records, now int64) (changed bool) {
	if i.timeout <= 0 {
		return false
	}
	if records != i.seen {
		i.seen, i.since = records, now
		changed, i.idle = i.idle, false
		return changed
	}
	if i.since == None {
		i.since = now
	}
	if !i.idle && now-i.since >= i.timeout {
		i.idle = true
		return true
	}
	return false
}

// Idle is the status.
func (i *Idleness) Idle() bool { return i.idle }

// Active notes a record that has come while the stream was idle.
func (i *Idleness) Active() { i.idle, i.since = false, None }
