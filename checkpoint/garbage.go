package checkpoint

import "slices"

// Found is what a listing of a job's directory shows: names relative to it.
type Found struct {
	// Checkpoints are the folders chk-N by number; true where one holds a manifest under its name.
	Checkpoints map[int64]bool
	// State are the files of state by the checkpoint they were written for.
	State map[Ref][]string
}

// Garbage says which of the things found nobody needs: what crashes, aborted checkpoints and late tasks have left. A leader that has been
// replaced without knowing it may call it, too: nothing of a later epoch is touched, nor any checkpoint that a successor may have
// published or be publishing.
func (c *Coordinator) Garbage(found Found) (checkpoints []int64, files []string) {
	oldest := c.newest()
	if oldest == nil || c.inDoubt {
		return nil, nil
	}
	for _, done := range c.completed {
		if done.Foreign {
			return nil, nil // numbers of another job's
		}
	}
	oldest = c.completed[0]
	for id := range found.Checkpoints {
		// A successor publishes numbers only that are above all published ones, and this one is published.
		if id < oldest.ID {
			checkpoints = append(checkpoints, id)
		}
	}
	needed := c.needed()
	for ref, names := range found.State {
		if ref.Epoch > c.epoch || ref.Epoch == c.epoch && (c.find(ref) != nil || ref.ID >= c.next) {
			continue
		}
		for _, name := range names {
			if !needed[name] {
				files = append(files, name)
			}
		}
	}
	slices.Sort(checkpoints)
	slices.Sort(files)
	return checkpoints, files
}
