package jobmanager

import "time"

// events are the driver's reports, posted to the loop.
type events struct{ m *JobManager }

// TaskManagerStarted is ResourceEvents'.
func (e events) TaskManagerStarted(id, host string) {
	e.m.l.post(func() {
		if e.m.tms[id] == nil {
			e.m.pending[id] = time.Now()
		}
		e.m.o.Log.Info("TaskManager launched", "taskmanager", id, "host", host)
	})
}

// TaskManagerLost is ResourceEvents'.
func (e events) TaskManagerLost(id, reason string) {
	e.m.l.post(func() {
		delete(e.m.pending, id)
		delete(e.m.draining, id)
		defer e.m.schedule()
		defer e.m.unfence(id)
		if e.m.released[id] {
			delete(e.m.released, id)
			e.m.o.Log.Info("idle TaskManager ended", "taskmanager", id, "reason", reason)
			e.m.schedule()
			return
		}
		if tm := e.m.tms[id]; tm != nil {
			e.m.loseTaskManager(tm, reason)
			delete(e.m.lost, id)
			return
		}
		if l, ok := e.m.lost[id]; ok {
			delete(e.m.lost, id)
			e.m.o.Log.Warn("TaskManager ended", "taskmanager", id, "reason", reason)
			e.m.explain(id, l.text, reason)
			e.m.schedule()
			return
		}
		e.m.o.Log.Warn("TaskManager ended", "taskmanager", id, "reason", reason)
		for _, j := range e.m.order {
			if !j.waitingSince.IsZero() {
				j.note("a TaskManager ended before it was of use: " + reason)
			}
		}
		e.m.schedule()
	})
}

// TaskManagerDraining is ResourceEvents'.
func (e events) TaskManagerDraining(id, reason string) {
	e.m.l.post(func() {
		delete(e.m.draining, id)
		if reason != "" {
			e.m.draining[id] = reason
			e.m.o.Log.Info("TaskManager gets no more jobs", "taskmanager", id, "reason", reason)
		}
		if tm := e.m.tms[id]; tm != nil {
			tm.draining = reason
			e.m.schedule()
			e.m.releaseIdle(time.Now())
		}
	})
}

// Note is ResourceEvents'.
func (e events) Note(text string) {
	e.m.l.post(func() {
		for _, j := range e.m.order {
			if !j.waitingSince.IsZero() {
				j.note(text)
			}
		}
	})
}

// RequestFailed is ResourceEvents'.
func (e events) RequestFailed(reason string) {
	e.m.l.post(func() {
		e.m.refused = reason
		e.m.expirePlannings(time.Now(), -1, "at all")
		for _, j := range e.m.order {
			if !j.waitingSince.IsZero() {
				e.m.slotTimeout(j, "at all")
			}
		}
	})
}

// Fatal is ResourceEvents'.
func (e events) Fatal(err error) { e.m.l.post(func() { e.m.end(err) }) }
