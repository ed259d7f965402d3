package rest

import (
	"math"
	"strconv"
)

// Double is a number that Flink prints as a Java double: always with a fraction ("945.0"), NaN and infinities as strings.
type Double float64

// MarshalJSON prints the number.
func (d Double) MarshalJSON() ([]byte, error) {
	f := float64(d)
	switch {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Infinity"`), nil
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return strconv.AppendFloat(nil, f, 'f', 1, 64), nil
	}
	return strconv.AppendFloat(nil, f, 'g', -1, 64), nil
}

// UnmarshalJSON reads what MarshalJSON prints.
func (d *Double) UnmarshalJSON(b []byte) error {
	s := string(b)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	if s == "null" {
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return err
	}
	*d = Double(f)
	return nil
}

// Overview is GET /overview.
type Overview struct {
	TaskManagers   int `json:"taskmanagers"`
	SlotsTotal     int `json:"slots-total"`
	SlotsAvailable int `json:"slots-available"`
	JobsRunning    int `json:"jobs-running"`
	JobsFinished   int `json:"jobs-finished"`
	JobsCancelled  int `json:"jobs-cancelled"`
	JobsFailed     int `json:"jobs-failed"`
	// Version is Weft's; the field keeps Flink's name so that tools find it.
	Version string `json:"flink-version"`
	// Revision is the abbreviated commit Weft was built from.
	Revision string `json:"flink-commit"`
}

// Dashboard is GET /config: what a web UI asks first.
type Dashboard struct {
	// RefreshInterval in milliseconds.
	RefreshInterval int64  `json:"refresh-interval"`
	TimezoneName    string `json:"timezone-name"`
	// TimezoneOffset in milliseconds east of UTC.
	TimezoneOffset int64             `json:"timezone-offset"`
	Version        string            `json:"flink-version"`
	Revision       string            `json:"flink-revision"`
	Features       DashboardFeatures `json:"features"`
}

// DashboardFeatures says what a web UI may offer.
type DashboardFeatures struct {
	Submit  bool `json:"web-submit"`
	Cancel  bool `json:"web-cancel"`
	Rescale bool `json:"web-rescale"`
	History bool `json:"web-history"`
}

// Cluster is GET /v1/weft/cluster, a document of our own: who and where the cluster is.
type Cluster struct {
	// ClusterID is the id the cluster registers under; on YARN the application id.
	ClusterID string `json:"cluster-id"`
	// Target is how it runs: "yarn-session", "yarn-application", "standalone", "local", ….
	Target   string `json:"target"`
	Version  string `json:"version"`
	Revision string `json:"revision"`
	User     string `json:"user,omitempty"`
	// Name and Queue are those of the YARN application; empty elsewhere.
	Name  string `json:"name,omitempty"`
	Queue string `json:"queue,omitempty"`
	// Host is where the JobManager runs.
	Host string `json:"host"`
	// StartTime in milliseconds since 1970.
	StartTime int64 `json:"start-time"`
	// TaskManagerMemory is the memory each TaskManager's container is asked with, in bytes.
	TaskManagerMemory int64 `json:"taskmanager-memory"`
	TaskManagerVCores int   `json:"taskmanager-vcores"`
	TaskManagerSlots  int   `json:"taskmanager-slots"`
	// PendingTaskManagers are asked for or starting, not registered yet.
	PendingTaskManagers int `json:"pending-taskmanagers"`
	// LogURL is where the JobManager container's logs are shown by someone else (the NodeManager), when known.
	LogURL string `json:"log-url,omitempty"`
	// Warning is what the owner should do something about before long.
	Warning string `json:"warning,omitempty"`
}

// TaskManagers is GET /taskmanagers.
type TaskManagers struct {
	TaskManagers []TaskManager `json:"taskmanagers"`
}

// TaskManager is one registered TaskManager.
type TaskManager struct {
	ID string `json:"id"`
	// Path is the address of the TaskManager's control endpoint; for people only.
	Path string `json:"path"`
	// DataPort is 0 when workers have data ports of their own.
	DataPort int `json:"dataPort"`
	JMXPort  int `json:"jmxPort"`
	// LastHeartbeat is when it was heard last, milliseconds since 1970 (Flink's name says otherwise; its value is this).
	LastHeartbeat int64        `json:"timeSinceLastHeartbeat"`
	Slots         int          `json:"slotsNumber"`
	FreeSlots     int          `json:"freeSlots"`
	Total         Resource     `json:"totalResource"`
	Free          Resource     `json:"freeResource"`
	Hardware      Hardware     `json:"hardware"`
	Memory        MemoryLayout `json:"memoryConfiguration"`

	// What the page shows besides; not in Flink's document.

	// Host the TaskManager runs on.
	Host string `json:"-"`
	// LogURL shows its container's logs (NodeManager page); empty when unknown.
	LogURL string `json:"-"`
	// RSS is the resident memory of the TaskManager and its workers in bytes; 0 when unknown.
	RSS int64 `json:"-"`
}

// Resource is an amount of processors and memory; memory is in mebibytes, as in Flink's document.
type Resource struct {
	CPUCores          Double            `json:"cpuCores"`
	TaskHeapMemory    int64             `json:"taskHeapMemory"`
	TaskOffHeapMemory int64             `json:"taskOffHeapMemory"`
	ManagedMemory     int64             `json:"managedMemory"`
	NetworkMemory     int64             `json:"networkMemory"`
	Extended          map[string]Double `json:"extendedResources"`
}

// Hardware is the machine a TaskManager sees; memory in bytes.
type Hardware struct {
	CPUCores       int   `json:"cpuCores"`
	PhysicalMemory int64 `json:"physicalMemory"`
	FreeMemory     int64 `json:"freeMemory"`
	ManagedMemory  int64 `json:"managedMemory"`
}

// MemoryLayout is how a TaskManager's process memory is split, in bytes. Weft's parts: taskHeap is what workers may use,
// networkMemory their exchange buffers, frameworkHeap the TaskManager itself; JVM parts are 0.
type MemoryLayout struct {
	FrameworkHeap    int64 `json:"frameworkHeap"`
	TaskHeap         int64 `json:"taskHeap"`
	FrameworkOffHeap int64 `json:"frameworkOffHeap"`
	TaskOffHeap      int64 `json:"taskOffHeap"`
	NetworkMemory    int64 `json:"networkMemory"`
	ManagedMemory    int64 `json:"managedMemory"`
	JVMMetaspace     int64 `json:"jvmMetaspace"`
	JVMOverhead      int64 `json:"jvmOverhead"`
	TotalFlinkMemory int64 `json:"totalFlinkMemory"`
	TotalProcess     int64 `json:"totalProcessMemory"`
}

// TaskManagerDetails is GET /taskmanagers/:taskmanagerid.
type TaskManagerDetails struct {
	TaskManager
	AllocatedSlots []AllocatedSlot    `json:"allocatedSlots"`
	Metrics        TaskManagerMetrics `json:"metrics"`
}

// AllocatedSlot is a slot that a job holds.
type AllocatedSlot struct {
	JobID    string   `json:"jobId"`
	Resource Resource `json:"resource"`
}

// TaskManagerMetrics are the figures of Flink's TaskManager page; those that only a JVM has stay 0.
type TaskManagerMetrics struct {
	HeapUsed                 int64              `json:"heapUsed"`
	HeapCommitted            int64              `json:"heapCommitted"`
	HeapMax                  int64              `json:"heapMax"`
	NonHeapUsed              int64              `json:"nonHeapUsed"`
	NonHeapCommitted         int64              `json:"nonHeapCommitted"`
	NonHeapMax               int64              `json:"nonHeapMax"`
	DirectCount              int64              `json:"directCount"`
	DirectUsed               int64              `json:"directUsed"`
	DirectMax                int64              `json:"directMax"`
	MappedCount              int64              `json:"mappedCount"`
	MappedUsed               int64              `json:"mappedUsed"`
	MappedMax                int64              `json:"mappedMax"`
	MemorySegmentsAvailable  int64              `json:"memorySegmentsAvailable"`
	MemorySegmentsTotal      int64              `json:"memorySegmentsTotal"`
	ShuffleSegmentsAvailable int64              `json:"nettyShuffleMemorySegmentsAvailable"`
	ShuffleSegmentsUsed      int64              `json:"nettyShuffleMemorySegmentsUsed"`
	ShuffleSegmentsTotal     int64              `json:"nettyShuffleMemorySegmentsTotal"`
	ShuffleMemoryAvailable   int64              `json:"nettyShuffleMemoryAvailable"`
	ShuffleMemoryUsed        int64              `json:"nettyShuffleMemoryUsed"`
	ShuffleMemoryTotal       int64              `json:"nettyShuffleMemoryTotal"`
	GarbageCollectors        []GarbageCollector `json:"garbageCollectors"`
}

// GarbageCollector is the work of a garbage collector: runs, and milliseconds spent.
type GarbageCollector struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Time  int64  `json:"time"`
}

// ConfigEntry is one line of GET /jobmanager/config, which is a list of them. Values of secret keys are masked by the
// server whatever the Backend returns.
type ConfigEntry struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Metric is one entry of a metrics document, which is a list of them. Without ?get= only ids are listed.
type Metric struct {
	ID    string `json:"id"`
	Value string `json:"value,omitempty"`
	// Series is how a scrape shows it.
	Series Series `json:"-"`
}

// Series is what GET /metrics makes of a metric.
type Series struct {
	// Subtask that has it, in the metrics of a vertex.
	Subtask int
	// OperatorID and Operator, its name, are set for metrics of an operator.
	OperatorID, Operator string
	// Name without subtask and operator; the metric's id when empty. Quantiles of a histogram have the histogram's.
	Name string
	// Quantile of a histogram, such as "0.99".
	Quantile string
	Kind     SeriesKind
}

// SeriesKind is how values of a series are to be understood.
type SeriesKind int

const (
	// Gauge goes up and down.
	Gauge SeriesKind = iota
	// Total only grows, as long as the process or task lives.
	Total
	// Hidden is shown in documents only.
	Hidden
)

// AggregatedMetric is one entry of an aggregated metrics document; only the figures asked for are present.
type AggregatedMetric struct {
	ID   string  `json:"id"`
	Min  *Double `json:"min,omitempty"`
	Max  *Double `json:"max,omitempty"`
	Avg  *Double `json:"avg,omitempty"`
	Sum  *Double `json:"sum,omitempty"`
	Skew *Double `json:"skew,omitempty"`
}

// LogList is GET /jobmanager/logs.
type LogList struct {
	Logs []LogFile `json:"logs"`
}

// LogFile is one file of a log directory.
type LogFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	// ModTime in milliseconds since 1970.
	ModTime int64 `json:"mtime"`
}

// LogURL is where logs are shown by someone else.
type LogURL struct {
	URL string `json:"url"`
}

// Environment is GET /jobmanager/environment: what process this is. The fields keep the JVM's names.
type Environment struct {
	JVM RuntimeInfo `json:"jvm"`
	// Classpath holds the program.
	Classpath []string `json:"classpath"`
}

// RuntimeInfo is the runtime of a process: for Weft the Go version, the architecture and GOMAXPROCS, GOMEMLIMIT.
type RuntimeInfo struct {
	Version string   `json:"version"`
	Arch    string   `json:"arch"`
	Options []string `json:"options"`
}
