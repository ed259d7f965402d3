package jobmanager

import "time"

// A job is not deployed again while a worker of its earlier attempt may still run on a TaskManager that was lost (F3): the
// worker could commit what the new attempt does again. A fence falls when the platform says that the container has ended, when
// the TaskManager comes back and its worker is gone, when its process is seen to have ended (Options.Watch), or when the TaskManager must have stopped its workers by itself.

// fence notes the jobs that have a worker on a TaskManager whose connection has ended, and has the driver look soon.
func (m *JobManager) fence(id string, now time.Time) {
	for _, j := range m.order {
		if j.workers[id] != nil {
			j.fences[id] = now
		}
	}
	if m.o.Driver != nil {
		m.o.Driver.Doubt(id)
	}
}

// unfence notes that nothing runs on a TaskManager any more.
func (m *JobManager) unfence(id string) {
	for _, j := range m.order {
		delete(j.fences, id)
	}
}

// returned takes down the fences of jobs that have no worker left on a TaskManager that has come back.
func (m *JobManager) returned(tm *taskManager) {
	running := map[string]bool{}
	for _, w := range tm.register.GetWorkers() {
		running[w.GetJobId()] = true
	}
	for _, j := range m.order {
		if !running[j.id.String()] {
			delete(j.fences, tm.id)
		}
	}
}

// fenced tells whether a job must wait. Fences that are too old to hold are taken down.
func (m *JobManager) fenced(j *job, now time.Time) bool {
	for id, since := range j.fences {
		switch gone := m.gone[id]; {
		case now.Sub(since) > m.s.leaderless:
			delete(j.fences, id)
		case gone != nil && gone():
			m.o.Log.Info("TaskManager has ended", "taskmanager", id)
			m.unfence(id)
			delete(m.gone, id)
		}
	}
	return len(j.fences) > 0
}

// watch has a TaskManager looked at by who can see its process.
func (m *JobManager) watch(id string) {
	if m.o.Watch == nil {
		return
	}
	// Ended ones that no job waits for are forgotten here.
	for other, ended := range m.gone {
		if m.tms[other] == nil && ended() {
			m.unfence(other)
			delete(m.gone, other)
		}
	}
	if ended := m.o.Watch(id); ended != nil {
		m.gone[id] = ended
	}
}
