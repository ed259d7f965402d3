package web

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/weft-project/weft/rest"
)

// barWidth is the width of a bar in SVG units.
const barWidth = 100

// part is a coloured piece of a bar, in SVG units from the left.
type part struct {
	Class    string
	X, Width float64
}

// bar is a stacked bar.
type bar struct {
	Parts []part
	Label string
}

// newBar stacks amounts of a total; classes and amounts go together.
func newBar(label string, total float64, classes []string, amounts []float64) bar {
	b := bar{Label: label}
	x := 0.0
	for i, a := range amounts {
		if total <= 0 || a <= 0 {
			continue
		}
		width := min(a/total*barWidth, barWidth-x)
		b.Parts = append(b.Parts, part{Class: classes[i], X: x, Width: width})
		x += width
	}
	return b
}

type overviewView struct {
	Overview      rest.Overview
	Slots         bar
	Memory        int64
	RSS           int64
	MemoryBar     bar
	Running       []jobRow
	Ended         []jobRow
	TaskManagers  []rest.TaskManager
	MoreEnded     int
	SlotsOccupied int
}

type jobRow struct {
	rest.JobSummary
	Bar bar
}

// maxEnded bounds the ended jobs listed.
const maxEnded = 100

func newOverview(o rest.Overview, jobs []rest.JobSummary, tms []rest.TaskManager) overviewView {
	v := overviewView{Overview: o, TaskManagers: tms, SlotsOccupied: o.SlotsTotal - o.SlotsAvailable}
	v.Slots = newBar("", float64(o.SlotsTotal), []string{"running"}, []float64{float64(v.SlotsOccupied)})
	for _, t := range tms {
		v.Memory += t.Memory.TotalProcess
		v.RSS += t.RSS
	}
	v.MemoryBar = newBar("", float64(v.Memory), []string{"running"}, []float64{float64(v.RSS)})
	for _, j := range jobs {
		row := jobRow{JobSummary: j, Bar: tasksBar(j.Tasks)}
		if rest.JobEnded(j.State) {
			v.Ended = append(v.Ended, row)
		} else {
			v.Running = append(v.Running, row)
		}
	}
	newestFirst := func(rows []jobRow) {
		sort.SliceStable(rows, func(i, k int) bool { return rows[i].StartTime > rows[k].StartTime })
	}
	newestFirst(v.Running)
	newestFirst(v.Ended)
	if len(v.Ended) > maxEnded {
		v.MoreEnded = len(v.Ended) - maxEnded
		v.Ended = v.Ended[:maxEnded]
	}
	return v
}

func tasksBar(t rest.JobTasks) bar {
	label := strconv.Itoa(t.Finished) + " of " + strconv.Itoa(t.Total) + " finished"
	if t.Running > 0 {
		label = strconv.Itoa(t.Running) + " running, " + label
	}
	waiting := t.Created + t.Scheduled + t.Deploying + t.Initializing + t.Reconciling
	return newBar(label, float64(t.Total),
		[]string{"finished", "running", "failed", "canceled", "waiting"},
		[]float64{float64(t.Finished), float64(t.Running), float64(t.Failed), float64(t.Canceled + t.Canceling), float64(waiting)})
}

type jobView struct {
	Job        *rest.JobDetails
	Graph      graph
	Vertices   []vertexRow
	Exceptions *rest.JobExceptions
	Config     []rest.ConfigEntry
	Execution  rest.ExecutionConfig
}

type vertexRow struct {
	rest.JobVertex
	Bar   bar
	Load  bar
	Hosts string
}

func newJob(d *rest.JobDetails, e *rest.JobExceptions, c rest.JobConfig) *jobView {
	v := &jobView{Job: d, Exceptions: e, Execution: c.Execution, Graph: layout(d)}
	for _, x := range d.Vertices {
		v.Vertices = append(v.Vertices, vertexRow{JobVertex: x, Bar: countsBar(x.Tasks, x.Parallelism), Load: loadBar(x.Load, x.Metrics)})
	}
	for k, value := range c.Execution.UserConfig {
		v.Config = append(v.Config, rest.ConfigEntry{Key: k, Value: value})
	}
	v.Config = rest.MaskConfig(v.Config)
	return v
}

// countsBar shows a vertex's subtasks by state.
func countsBar(counts map[string]int, total int) bar {
	var classes []string
	var amounts []float64
	var words []string
	for _, state := range []string{"FINISHED", "RUNNING", "INITIALIZING", "DEPLOYING", "SCHEDULED", "CREATED", "RECONCILING", "CANCELING", "CANCELED", "FAILED"} {
		if n := counts[state]; n > 0 {
			classes = append(classes, stateClass(state))
			amounts = append(amounts, float64(n))
			words = append(words, strconv.Itoa(n)+" "+strings.ToLower(state))
		}
	}
	return newBar(strings.Join(words, ", "), float64(total), classes, amounts)
}

// loadBar shows how tasks have spent the last minute; those that have ended, all their time.
func loadBar(l *rest.Load, m rest.IOMetrics) bar {
	if l != nil {
		return recentLoad(l)
	}
	return timeBar(float64(m.BusyTime), float64(m.BackpressuredTime), float64(m.IdleTime))
}

// recentLoad is the bar of a load; of several tasks the parts are those of different ones, so they need not make a whole.
func recentLoad(l *rest.Load) bar {
	if l == nil {
		return bar{}
	}
	return timeBar(l.Busy, l.Held, max(0, min(l.Idle, 1-l.Busy-l.Held)))
}

func timeBar(busy, held, idle float64) bar {
	total := busy + idle + held
	if total <= 0 {
		return bar{}
	}
	percent := func(x float64) string { return strconv.Itoa(int(x/total*100+0.5)) + " %" }
	return newBar(percent(busy)+" busy, "+percent(held)+" held back, "+percent(idle)+" idle", total,
		[]string{"busy", "held", "idle"}, []float64{busy, held, idle})
}

// hostSummary lists the hosts of subtasks with counts, at most four by name.
func hostSummary(subtasks []rest.Subtask) string {
	counts := map[string]int{}
	var order []string
	for _, s := range subtasks {
		if s.Host == "" || s.Host == "(unassigned)" {
			continue
		}
		if counts[s.Host] == 0 {
			order = append(order, s.Host)
		}
		counts[s.Host]++
	}
	var words []string
	for i, h := range order {
		if i == 4 {
			words = append(words, strconv.Itoa(len(order)-4)+" more")
			break
		}
		if counts[h] > 1 {
			h += " ×" + strconv.Itoa(counts[h])
		}
		words = append(words, h)
	}
	return strings.Join(words, ", ")
}

type vertexView struct {
	Job      *rest.JobDetails
	Vertex   *rest.VertexDetails
	Subtasks []subtaskRow
	Earlier  []subtaskRow
	// Remote tells that some data went over TCP, so that the columns are shown.
	Remote bool
}

type subtaskRow struct {
	rest.Subtask
	// Place is the subtask's number among all, from 1 as in task names and messages: 1/4.
	Place string
	// Execution is the attempt, from 1 too.
	Execution           int
	Load                bar
	RemoteIn, RemoteOut int64
}

func newVertex(d *rest.JobDetails, v *rest.VertexDetails) *vertexView {
	view := &vertexView{Job: d, Vertex: v}
	rows := func(subtasks []rest.Subtask) []subtaskRow {
		var list []subtaskRow
		for _, s := range subtasks {
			in, out := s.Metrics.Remote()
			view.Remote = view.Remote || in > 0 || out > 0
			list = append(list, subtaskRow{Subtask: s, Place: fmt.Sprintf("%d/%d", s.Subtask+1, v.Parallelism), Execution: s.Attempt + 1, Load: loadBar(s.Load, s.Metrics), RemoteIn: in, RemoteOut: out})
		}
		return list
	}
	view.Subtasks = rows(v.Subtasks)
	view.Earlier = rows(v.Earlier)
	return view
}

type taskManagerView struct {
	TaskManager rest.TaskManagerDetails
	Memory      []memoryRow
	Slots       []slotRow
}

type memoryRow struct {
	Name  string
	Bytes int64
}

type slotRow struct {
	JobID, JobName, JobState string
}

func newTaskManager(t rest.TaskManagerDetails, jobs []rest.JobSummary) taskManagerView {
	v := taskManagerView{TaskManager: t}
	m := t.Memory
	for _, row := range []memoryRow{
		{"container", m.TotalProcess}, {"in use now (resident)", t.RSS}, {"workers", m.TaskHeap + m.TaskOffHeap}, {"exchange buffers", m.NetworkMemory},
		{"managed (state, sorting)", m.ManagedMemory}, {"TaskManager itself", m.FrameworkHeap + m.FrameworkOffHeap}, {"reserve", m.JVMOverhead + m.JVMMetaspace},
	} {
		if row.Bytes > 0 {
			v.Memory = append(v.Memory, row)
		}
	}
	byID := map[string]rest.JobSummary{}
	for _, j := range jobs {
		byID[j.ID] = j
	}
	for _, s := range t.AllocatedSlots {
		v.Slots = append(v.Slots, slotRow{JobID: s.JobID, JobName: byID[s.JobID].Name, JobState: byID[s.JobID].State})
	}
	return v
}

type logView struct {
	Name     string
	Size     int64
	Modified time.Time
	Text     string
	Cut      bool
}
