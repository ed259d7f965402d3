package eventtime

// Splits makes one watermark of those of the splits that a source's subtask reads: the lowest, as in Valve, but splits come
// and go.
type Splits struct {
	splits map[string]*split
	last   int64
}

type split struct {
	watermark int64
	idle      bool
}

// NewSplits makes it without a split.
func NewSplits() *Splits { return &Splits{splits: map[string]*split{}, last: None} }

// Last is the watermark said last.
func (s *Splits) Last() int64 { return s.last }

// Add begins a split, which holds the watermark back until it has one of its own.
func (s *Splits) Add(name string) { s.splits[name] = &split{watermark: None} }

// Remove ends a split; advanced tells that Last is a new watermark.
func (s *Splits) Remove(name string) (advanced bool) {
	delete(s.splits, name)
	return s.lowest()
}

// Watermark takes a split's watermark.
func (s *Splits) Watermark(name string, wm int64) (advanced bool) {
	p := s.splits[name]
	if p == nil || wm <= p.watermark {
		return false
	}
	p.watermark = wm
	return s.lowest()
}

// Status takes a split's status.
func (s *Splits) Status(name string, idle bool) (advanced bool) {
	if p := s.splits[name]; p != nil {
		p.idle = idle
	}
	return s.lowest()
}

// Idle tells that no split is active: there is none, or all are idle.
func (s *Splits) Idle() bool {
	for _, p := range s.splits {
		if !p.idle {
			return false
		}
	}
	return true
}

func (s *Splits) lowest() bool {
	low, any := int64(Max), false
	for _, p := range s.splits {
		if !p.idle {
			any = true
			low = min(low, p.watermark)
		}
	}
	if !any || low <= s.last {
		return false
	}
	s.last = low
	return true
}
