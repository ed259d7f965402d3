package jobmanager

// PendingLimit is how many connections may be without a finished handshake, once the JobManager listens.
func (m *JobManager) PendingLimit() int { return m.listener.Limit() }
