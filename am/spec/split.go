package spec

// TaskManagerSplitMB gives the TaskManager's own share of its container and the share of each slot's workers, in MiB.
func (s Sizes) TaskManagerSplitMB() (own, slot int) {
	return taskManagerReserveMB, (s.TaskManagerMB - taskManagerReserveMB) / max(s.Slots, 1)
}
