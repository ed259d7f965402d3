package rest

import (
	"net/http"
	"strings"
)

// Access says who may use a path.
type Access int

const (
	// AccessRead is for whoever may look: the owner's token, or a user with view rights, through YARN's web proxy too.
	AccessRead Access = iota
	// AccessOwner needs the owner's token, or modify rights beside the proxy.
	AccessOwner
)

// String gives the word used in docs/rest.md.
func (a Access) String() string {
	if a == AccessOwner {
		return "owner"
	}
	return "read"
}

// Route is a path the Server answers. Each is served at Path and at /v1 + Path.
type Route struct {
	Method string
	// Path in Flink's notation, ":jobid" for a part that varies.
	Path   string
	Access Access
	// Query lists the query parameters, separated by blanks.
	Query string
	// Doc is a phrase for docs/rest.md.
	Doc string
	// body is how large a request's body may be, where that is more than usual.
	body int64

	handle handler
}

// handler answers a request or returns the error to answer with; an *Error chooses the status.
type handler func(s *Server, w http.ResponseWriter, r *http.Request) error

// pattern turns Flink's notation into ServeMux's.
func (r Route) pattern(prefix string) string {
	parts := strings.Split(r.Path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, ":") {
			parts[i] = "{" + p[1:] + "}"
		}
	}
	return r.Method + " " + prefix + strings.Join(parts, "/")
}

// Routes lists every path the Server answers, pages excepted, in the order of docs/rest.md.
func Routes() []Route {
	var all []Route
	all = append(all, clusterRoutes...)
	all = append(all, jobRoutes...)
	all = append(all, vertexRoutes...)
	all = append(all, taskManagerRoutes...)
	all = append(all, jarRoutes...)
	all = append(all, laterRoutes...)
	all = append(all, checkpointRoutes...)
	return append(all, weftRoutes...)
}

var clusterRoutes = []Route{
	{Method: "GET", Path: "/openapi.json", Doc: "this table as an OpenAPI description", handle: handleOpenAPI},
	{Method: "GET", Path: "/overview", Doc: "TaskManagers, slots and jobs in numbers", handle: handleOverview},
	{Method: "GET", Path: "/metrics", Query: "prefix", Doc: "all metrics of the cluster, as Prometheus scrapes them; prefix begins the names, weft when absent", handle: handleScrape},
	{Method: "GET", Path: "/config", Doc: "version, time zone, what a web UI may offer", handle: handleDashboard},
	{Method: "DELETE", Path: "/cluster", Access: AccessOwner, Doc: "ends the whole cluster", handle: handleShutdown},
	{Method: "GET", Path: "/jobmanager/config", Doc: "effective configuration, secrets masked", handle: handleConfig},
	{Method: "GET", Path: "/jobmanager/environment", Doc: "Go version, architecture, limits of the JobManager process", handle: handleEnvironment},
	{Method: "GET", Path: "/jobmanager/metrics", Query: "get", Doc: "metrics of the JobManager; without get their names", handle: handleJobManagerMetrics},
	{Method: "GET", Path: "/jobmanager/log", Doc: "the JobManager's log file", handle: handleJobManagerLog},
	{Method: "GET", Path: "/jobmanager/stdout", Doc: "the JobManager's standard output", handle: handleJobManagerStdout},
	{Method: "GET", Path: "/jobmanager/logs", Doc: "files of the JobManager's log directory", handle: handleLogList},
	{Method: "GET", Path: "/jobmanager/logs/:filename", Doc: "one of these files", handle: handleLogFile},
	{Method: "GET", Path: "/jobmanager/thread-dump", Doc: "goroutines of the JobManager process", handle: handleThreadDump},
	{Method: "GET", Path: "/datasets", Doc: "results kept between jobs: none", handle: handleDataSets},
}

var jobRoutes = []Route{
	{Method: "GET", Path: "/jobs", Doc: "ids and states of all jobs", handle: handleJobIDs},
	{Method: "GET", Path: "/jobs/overview", Doc: "all jobs with names, times and task counts", handle: handleJobsOverview},
	{Method: "GET", Path: "/jobs/metrics", Query: "get agg jobs", Doc: "job metrics aggregated over jobs", handle: handleJobsMetrics},
	{Method: "GET", Path: "/jobs/:jobid", Doc: "a job with its vertices and plan", handle: handleJob},
	{Method: "PATCH", Path: "/jobs/:jobid", Access: AccessOwner, Query: "mode", Doc: "cancels a job (mode=cancel)", handle: handleCancel},
	{Method: "GET", Path: "/jobs/:jobid/yarn-cancel", Access: AccessOwner, Doc: "cancels a job, for clients that can only GET", handle: handleYarnCancel},
	{Method: "GET", Path: "/jobs/:jobid/status", Doc: "the job's state", handle: handleJobStatus},
	{Method: "GET", Path: "/jobs/:jobid/plan", Doc: "the job graph", handle: handlePlan},
	{Method: "GET", Path: "/jobs/:jobid/config", Doc: "how the job executes", handle: handleJobConfig},
	{Method: "GET", Path: "/jobs/:jobid/exceptions", Query: "maxExceptions failureLabelFilter", Doc: "what failed, newest first", handle: handleExceptions},
	{Method: "GET", Path: "/jobs/:jobid/accumulators", Query: "includeSerializedValue", Doc: "accumulators of the job", handle: handleAccumulators},
	{Method: "GET", Path: "/jobs/:jobid/execution-result", Doc: "how the job ended, once it has", handle: handleExecutionResult},
	{Method: "GET", Path: "/jobs/:jobid/resource-requirements", Doc: "the parallelism of each vertex", handle: handleRequirements},
	{Method: "GET", Path: "/jobs/:jobid/metrics", Query: "get", Doc: "metrics of the job; without get their names", handle: handleJobMetrics},
	{Method: "GET", Path: "/jobs/:jobid/jobmanager/config", Doc: "as /jobmanager/config", handle: handleConfig},
	{Method: "GET", Path: "/jobs/:jobid/jobmanager/environment", Doc: "as /jobmanager/environment", handle: handleEnvironment},
	{Method: "GET", Path: "/jobs/:jobid/jobmanager/log-url", Doc: "where the JobManager's logs are shown", handle: handleJobManagerLogURL},
	{Method: "GET", Path: "/jobs/:jobid/taskmanagers/:taskmanagerid/log-url", Doc: "where a TaskManager's logs are shown", handle: handleTaskManagerLogURL},
}

var vertexRoutes = []Route{
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid", Doc: "a vertex with its subtasks", handle: handleVertex},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/subtasktimes", Doc: "when the subtasks entered which state", handle: handleSubtaskTimes},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/taskmanagers", Doc: "a vertex by TaskManager", handle: handleVertexTaskManagers},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/accumulators", Doc: "accumulators of a vertex", handle: handleVertexAccumulators},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/metrics", Query: "get", Doc: "metrics of all subtasks, named SUBTASK.METRIC", handle: handleVertexMetrics},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/watermarks", Doc: "input watermarks of the subtasks", handle: handleWatermarks},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/backpressure", Doc: "which part of their time the subtasks wait for their outputs", handle: handleBackPressure},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/flamegraph", Query: "type subtaskindex", Doc: "says that flame graphs are not enabled", handle: handleFlameGraph},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/jm-operator-metrics", Query: "get", Doc: "metrics of operators in the JobManager: none", handle: handleOperatorMetrics},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/subtasks/accumulators", Doc: "accumulators of each subtask", handle: handleSubtaskAccumulators},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/subtasks/metrics", Query: "get agg subtasks", Doc: "metrics aggregated over subtasks", handle: handleSubtasksMetrics},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex", Doc: "the current attempt of a subtask", handle: handleSubtask},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/metrics", Query: "get", Doc: "metrics of a subtask", handle: handleSubtaskMetrics},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/attempts/:attempt", Doc: "an attempt of a subtask", handle: handleAttempt},
	{Method: "GET", Path: "/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/attempts/:attempt/accumulators", Doc: "accumulators of an attempt", handle: handleAttemptAccumulators},
}

var taskManagerRoutes = []Route{
	{Method: "GET", Path: "/taskmanagers", Doc: "all registered TaskManagers", handle: handleTaskManagers},
	{Method: "GET", Path: "/taskmanagers/metrics", Query: "get agg taskmanagers", Doc: "metrics aggregated over TaskManagers", handle: handleTaskManagersMetrics},
	{Method: "GET", Path: "/taskmanagers/:taskmanagerid", Doc: "a TaskManager with the slots jobs hold", handle: handleTaskManager},
	{Method: "GET", Path: "/taskmanagers/:taskmanagerid/metrics", Query: "get", Doc: "metrics of a TaskManager", handle: handleTaskManagerMetrics},
	{Method: "GET", Path: "/taskmanagers/:taskmanagerid/log", Doc: "the TaskManager's log file", handle: handleTaskManagerLog},
	{Method: "GET", Path: "/taskmanagers/:taskmanagerid/stdout", Doc: "the TaskManager's standard output", handle: handleTaskManagerStdout},
	{Method: "GET", Path: "/taskmanagers/:taskmanagerid/logs", Doc: "its log files, and those of the workers that jobs have there", handle: handleTaskManagerLogs},
	{Method: "GET", Path: "/taskmanagers/:taskmanagerid/logs/:filename", Doc: "one of these files", handle: handleTaskManagerLogFile},
	{Method: "GET", Path: "/taskmanagers/:taskmanagerid/thread-dump", Doc: "goroutines of the TaskManager process and of its workers", handle: handleTaskManagerDump},
}

// jarPlanQuery are the parameters of both plans.
const jarPlanQuery = "entry-class parallelism program-args programArg"

var jarRoutes = []Route{
	{Method: "GET", Path: "/jars", Doc: "uploaded programs: job binaries, where Flink has jars", handle: handleJars},
	{Method: "POST", Path: "/jars/upload", Access: AccessOwner, Doc: "uploads a job binary, as the file of a form", body: maxJar + jarOverhead, handle: handleJarUpload},
	{Method: "GET", Path: "/jars/:jarid", Doc: "an uploaded program", handle: handleJar},
	{Method: "DELETE", Path: "/jars/:jarid", Access: AccessOwner, Doc: "deletes an uploaded program", handle: handleJarDelete},
	{Method: "POST", Path: "/jars/:jarid/run", Access: AccessOwner, Query: "entry-class parallelism program-args programArg savepointPath allowNonRestoredState",
		Doc: "runs its main in a TaskManager's slot and submits the job", handle: handleJarRun},
	{Method: "GET", Path: "/jars/:jarid/plan", Access: AccessOwner, Query: jarPlanQuery, Doc: "runs its main up to Execute and shows the plan", handle: handleJarPlan},
	{Method: "POST", Path: "/jars/:jarid/plan", Access: AccessOwner, Query: jarPlanQuery, Doc: "the same, with a body", handle: handleJarPlan},
}

var weftRoutes = []Route{
	{Method: "GET", Path: "/weft/cluster", Doc: "who and where the cluster is", handle: handleCluster},
	{Method: "POST", Path: "/weft/jobs", Access: AccessOwner, Doc: "submits a job (SubmitRequest)", handle: handleSubmit},
	{Method: "GET", Path: "/weft/blobs/:sha256", Access: AccessOwner, Doc: "whether an uploaded file is there, on clusters without a shared file system", handle: handleBlobStatus},
	{Method: "PUT", Path: "/weft/blobs/:sha256", Access: AccessOwner, Doc: "uploads a file, which must have this SHA-256", body: maxBlob, handle: handleBlobUpload},
	{Method: "GET", Path: "/weft/jobs/:jobid/watch", Access: AccessOwner, Query: "since wait", Doc: "waits for news of a job (WatchReply); wait in milliseconds, at most 60000", handle: handleWatch},
}

// RoutesTable prints the table of docs/rest.md.
func RoutesTable() string {
	var b strings.Builder
	b.WriteString("| method | path | query | who | what |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range Routes() {
		b.WriteString("| " + r.Method + " | `" + r.Path + "` | " + r.Query + " | " + r.Access.String() + " | " + r.Doc + " |\n")
	}
	return b.String()
}
