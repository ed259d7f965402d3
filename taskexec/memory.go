package taskexec

import (
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

const (
	// reserve is what of the process memory belongs to the TaskManager itself, in bytes.
	reserve = 64 << 20
	// minShare is the least that a slot can do with, in bytes.
	minShare = 32 << 20
	// tight is the part of the process memory above which a worker is stopped: YARN kills at the whole, and looks more rarely.
	tight = 0.95
	// goal is the part of its share that a worker's garbage collector aims for.
	goal = 0.9
	// slimInterval is the least time between two attempts to give memory of this process back.
	slimInterval = 5 * time.Second
	// familyInterval is how often the processes that workers have started are looked for, which is dearer than looking at the workers.
	familyInterval = time.Second
)

// share is what slots slots may use, in bytes.
func (m *manager) share(slots int) int64 {
	return (m.o.ProcessMemory - reserve) / int64(m.o.Slots) * int64(slots)
}

// limits is a worker's share as its runtime is told.
func (m *manager) limits(slots int) *controlpb.ResourceShare {
	processors := max(1, (m.o.VCores*slots+m.o.Slots-1)/m.o.Slots)
	return &controlpb.ResourceShare{Memory: int64(goal * float64(m.share(slots))), Processors: int32(processors)}
}

// watchMemory stops the worst offender before the platform stops everything.
func (m *manager) watchMemory() {
	if len(m.workers)+len(m.plans) == 0 {
		return
	}
	own := residentMemory(os.Getpid())
	plans, worstPlan := m.planMemory()
	total := own + plans
	var worst *worker
	if time.Since(m.counted) > familyInterval {
		m.countFamilies()
	}
	for _, w := range m.workers {
		w.rss = residentMemory(w.pid())
		if w.rss > 0 {
			w.rss += w.children
		}
		total += w.rss
		if worst == nil || m.over(w) > m.over(worst) {
			worst = w
		}
	}
	if float64(total) < tight*float64(m.o.ProcessMemory) {
		return
	}
	if worstPlan != nil && (worst == nil || worstPlan.over() > m.over(worst)) {
		worstPlan.tooLarge()
		return
	}
	if worst == nil || worst.stopping || worst.failure != nil || worst.rss == 0 {
		return
	}
	if m.over(worst) <= 0 && own > reserve {
		m.slim(own)
		return
	}
	message := fmt.Sprintf("the job used too much memory on TaskManager %s: its process had %d MiB, its share is %d MiB, and the container of %d MiB was nearly full; "+
		"give TaskManagers more memory (taskmanager.memory.process.size) or the job less state", m.o.ID, worst.rss>>20,
		m.share(int(worst.start.GetSlots()))>>20, m.o.ProcessMemory>>20)
	m.o.Log.Error(message, "job", worst.start.GetJobId(), "taskmanager-mib", own>>20)
	worst.giveUp(m.failure(planpb.FailureDomain_USER, message))
}

// countFamilies adds up what the processes have that workers have started: YARN counts them too.
func (m *manager) countFamilies() {
	m.counted = time.Now()
	pids := make([]int, 0, len(m.workers))
	for _, w := range m.workers {
		pids = append(pids, w.pid())
	}
	for _, p := range m.plans {
		pids = append(pids, int(p.pid.Load()))
	}
	sums := descendantsMemory(pids)
	for _, p := range m.plans {
		p.children = sums[int(p.pid.Load())]
	}
	for _, w := range m.workers {
		w.children = sums[w.pid()]
	}
}

// slim gives back what this process itself does not need any more: it is what makes the container full (job graphs may be large), and
// no worker is to blame.
func (m *manager) slim(own int64) {
	if time.Since(m.slimmed) < slimInterval {
		return
	}
	m.slimmed = time.Now()
	m.o.Log.Warn("the container is nearly full, and no worker exceeds its share; the TaskManager itself has more than its own",
		"taskmanager-mib", own>>20, "reserve-mib", int64(reserve)>>20)
	debug.FreeOSMemory()
}

// over is by how much a worker exceeds its share, in bytes.
func (m *manager) over(w *worker) int64 { return w.rss - m.share(int(w.start.GetSlots())) }
