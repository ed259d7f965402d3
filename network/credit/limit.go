package credit

// Limit counts the buffers that a producer's partition holds: each subpartition may have Exclusive, and all of them
// together Floating more. A subpartition whose receiver is slow can use up the floating ones, never the exclusive ones of
// another.
type Limit struct {
	exclusive int
	free      int
	used      []int
}

// NewLimit gives the count of a partition with n subpartitions.
func NewLimit(n, exclusive, floating int) *Limit {
	return &Limit{exclusive: exclusive, free: floating, used: make([]int, n)}
}

// May tells whether Take would succeed.
func (l *Limit) May(sub int) bool { return l.used[sub] < l.exclusive || l.free > 0 }

// Take counts a buffer for a subpartition; false when it must wait.
func (l *Limit) Take(sub int) bool {
	if !l.May(sub) {
		return false
	}
	if l.used[sub] >= l.exclusive {
		l.free--
	}
	l.used[sub]++
	return true
}

// Give counts a buffer that came back.
func (l *Limit) Give(sub int) {
	l.used[sub]--
	if l.used[sub] >= l.exclusive {
		l.free++
	}
}

// Used is the number of buffers that a subpartition has.
func (l *Limit) Used(sub int) int { return l.used[sub] }
