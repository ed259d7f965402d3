package operator

// Dealing decides which reader of a source gets a split. Readers ask ahead: the last splits are kept for those that have had none,
// so that each gets work. The caller guards it.
type Dealing struct {
	readers int
	// served are the readers that have had a split, or were told that there is none.
	served map[int]bool
}

// NewDealing begins dealing splits out to so many readers.
func NewDealing(readers int) *Dealing { return &Dealing{readers: readers, served: map[int]bool{}} }

// Next tells whether a reader that asks gets one of the splits that are left.
func (d *Dealing) Next(reader, left int) bool {
	kept := 0
	if d.served[reader] {
		kept = d.readers - len(d.served)
	}
	d.served[reader] = true
	return left > kept
}
