package jobmanager

import (
	"fmt"
	"sort"
	"time"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/security"
)

// slot is a slot held by a job.
type slot struct {
	tm    *taskManager
	index int
}

// schedule gives free slots to the jobs that wait, in order of submission, and tells the driver how many TaskManagers
// there should be.
func (m *JobManager) schedule() {
	now := time.Now()
	m.schedulePlannings()
	for _, j := range m.order {
		if j.waitingSince.IsZero() || m.fenced(j, now) {
			continue
		}
		if slots := m.take(j.x.Slots()); slots != nil {
			m.deploy(j, slots)
		}
	}
	m.require()
}

// take finds n free slots, spread over as many TaskManagers as have some; nil when there are not enough.
func (m *JobManager) take(n int) []slot {
	tms := m.sorted()
	var out []slot
	for round := 0; len(out) < n; round++ {
		progress := false
		for _, tm := range tms {
			if tm.draining != "" {
				continue
			}
			seen := 0
			for i, holder := range tm.slots {
				if holder != nil {
					continue
				}
				if seen == round {
					out = append(out, slot{tm, i})
					progress = true
					break
				}
				seen++
			}
			if len(out) == n {
				return out
			}
		}
		if !progress {
			return nil
		}
	}
	return out
}

func (m *JobManager) sorted() []*taskManager {
	var tms []*taskManager
	for _, tm := range m.tms {
		tms = append(tms, tm)
	}
	sort.Slice(tms, func(i, j int) bool { return tms[i].id < tms[j].id })
	return tms
}

// wanted is how many slots the waiting jobs and plans need.
func (m *JobManager) wanted() int {
	n := m.waitingPlannings()
	for _, j := range m.order {
		if !j.waitingSince.IsZero() {
			n += j.x.Slots()
		}
	}
	return n
}

// require tells the driver the number of TaskManagers: those that are there and those still missing.
func (m *JobManager) require() {
	free := 0
	for _, tm := range m.tms {
		free += tm.usable()
	}
	missing := max(0, m.wanted()-free)
	n := len(m.tms) + (missing+m.o.Spec.Slots-1)/m.o.Spec.Slots
	if m.listener != nil { // not while jobs are restored
		m.listener.SetLimit(security.DefaultPending + n)
	}
	if m.o.Driver != nil {
		m.o.Driver.Require(n)
	}
}

// giveBack frees the slots that a job holds on a TaskManager.
func (m *JobManager) giveBack(j *job, tm *taskManager) {
	for i := range tm.slots {
		if tm.slots[i] == j {
			tm.slots[i] = nil
		}
	}
	if tm.free() == len(tm.slots) {
		tm.idleSince = time.Now()
	}
}

// releaseIdle gives back TaskManagers that have had nothing to do for resourcemanager.taskmanager-timeout.
func (m *JobManager) releaseIdle(now time.Time) {
	if m.o.Driver == nil {
		return
	}
	wanted := m.wanted() > 0
	for _, tm := range m.sorted() {
		if tm.free() < len(tm.slots) || tm.draining == "" && (wanted || now.Sub(tm.idleSince) < m.s.idle) {
			continue
		}
		m.o.Log.Info("releasing idle TaskManager", "taskmanager", tm.id, "idle", now.Sub(tm.idleSince).Round(time.Second))
		delete(m.tms, tm.id)
		tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_Shutdown{Shutdown: "released: nothing to do"}})
		// In this order: the driver must not ask for another one in its place.
		m.require()
		m.released[tm.id] = true
		m.o.Driver.Release(tm.id)
		m.dropFileRequests(tm, "it had nothing to do")
	}
}

// onTheirWay counts TaskManagers that were asked for or launched and have not registered.
func (m *JobManager) onTheirWay() int {
	if m.o.Driver == nil {
		return 0
	}
	return m.o.Driver.Overview().PendingTaskManagers + len(m.pending)
}

// slotTimeout fails a job that got no slots, with the figures.
func (m *JobManager) slotTimeout(j *job, when string) {
	m.fail(j, &planpb.Failure{Domain: planpb.FailureDomain_USER, Message: "the job needs " + m.noSlots(j.x.Slots(), when), TimestampMs: nowMs()})
}

// noSlots says that slots were not to be had, with the figures.
func (m *JobManager) noSlots(n int, when string) string {
	free, total := 0, 0
	for _, tm := range m.tms {
		free += tm.free()
		total += len(tm.slots)
	}
	text := fmt.Sprintf("%d slots and did not get them %s: %d TaskManagers with %d slots are registered, %d slots are free",
		n, when, len(m.tms), total, free)
	if m.o.Driver != nil {
		text += fmt.Sprintf(", %d TaskManagers of %d slots are asked for, %d are starting", m.o.Driver.Overview().PendingTaskManagers, m.o.Spec.Slots, len(m.pending))
	}
	if m.refused != "" {
		text += "; " + m.refused
	} else if m.o.Driver != nil {
		if why := m.o.Driver.Overview().Shortage; why != "" {
			text += "; " + why
		}
	}
	return text
}

const (
	// shortageAfter is how long a job waits before it is told why, shortageEvery how often at most it is told something else.
	shortageAfter = 3 * time.Second
	shortageEvery = 15 * time.Second
)

// tellShortage tells jobs that wait why they do, when the platform knows.
func (m *JobManager) tellShortage(now time.Time) {
	if m.o.Driver == nil {
		return
	}
	why := m.o.Driver.Overview().Shortage
	for _, j := range m.order {
		switch {
		case j.waitingSince.IsZero():
			j.shortage, j.shortageTold = "", time.Time{}
		case why == "" || why == j.shortage || now.Sub(j.waitingSince) < shortageAfter || now.Sub(j.shortageTold) < shortageEvery:
		default:
			j.shortage, j.shortageTold = why, now
			j.note(fmt.Sprintf("still waiting for %s: %s", slotsText(j.x.Slots()), why))
		}
	}
}
