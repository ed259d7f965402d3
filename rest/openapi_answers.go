package rest

// answers are the documents that paths answer with, for the OpenAPI description.
var answers = map[string]any{
	"GET /openapi.json":                                    anyAnswer{},
	"GET /overview":                                        Overview{},
	"GET /config":                                          Dashboard{},
	"DELETE /cluster":                                      struct{}{},
	"GET /datasets":                                        DataSets{},
	"GET /jobmanager/config":                               []ConfigEntry{},
	"GET /jobmanager/environment":                          Environment{},
	"GET /metrics":                                         textAnswer{},
	"GET /jobmanager/metrics":                              []Metric{},
	"GET /jobmanager/log":                                  textAnswer{},
	"GET /jobmanager/stdout":                               textAnswer{},
	"GET /jobmanager/logs":                                 LogList{},
	"GET /jobmanager/logs/:filename":                       textAnswer{},
	"GET /jobmanager/thread-dump":                          ThreadDump{},
	"GET /jobs":                                            JobIDs{},
	"GET /jobs/overview":                                   JobsOverview{},
	"GET /jobs/metrics":                                    []AggregatedMetric{},
	"GET /jobs/:jobid":                                     JobDetails{},
	"PATCH /jobs/:jobid":                                   struct{}{},
	"GET /jobs/:jobid/yarn-cancel":                         struct{}{},
	"GET /jobs/:jobid/status":                              JobStatus{},
	"GET /jobs/:jobid/plan":                                JobPlan{},
	"GET /jobs/:jobid/config":                              JobConfig{},
	"GET /jobs/:jobid/exceptions":                          JobExceptions{},
	"GET /jobs/:jobid/accumulators":                        JobAccumulators{},
	"GET /jobs/:jobid/execution-result":                    ExecutionResult{},
	"GET /jobs/:jobid/checkpoints":                         Checkpoints{},
	"GET /jobs/:jobid/checkpoints/config":                  noAnswer{},
	"GET /jobs/:jobid/resource-requirements":               map[string]VertexRequirements{},
	"GET /jobs/:jobid/metrics":                             []Metric{},
	"GET /jobs/:jobid/jobmanager/config":                   []ConfigEntry{},
	"GET /jobs/:jobid/jobmanager/environment":              Environment{},
	"GET /jobs/:jobid/jobmanager/log-url":                  LogURL{},
	"GET /jobs/:jobid/taskmanagers/:taskmanagerid/log-url": LogURL{},

	"GET /jobs/:jobid/vertices/:vertexid":                                                       VertexDetails{},
	"GET /jobs/:jobid/vertices/:vertexid/subtasktimes":                                          VertexSubtaskTimes{},
	"GET /jobs/:jobid/vertices/:vertexid/taskmanagers":                                          VertexTaskManagers{},
	"GET /jobs/:jobid/vertices/:vertexid/accumulators":                                          VertexAccumulators{},
	"GET /jobs/:jobid/vertices/:vertexid/metrics":                                               []Metric{},
	"GET /jobs/:jobid/vertices/:vertexid/watermarks":                                            []Metric{},
	"GET /jobs/:jobid/vertices/:vertexid/backpressure":                                          BackPressure{},
	"GET /jobs/:jobid/vertices/:vertexid/flamegraph":                                            FlameGraph{},
	"GET /jobs/:jobid/vertices/:vertexid/jm-operator-metrics":                                   []Metric{},
	"GET /jobs/:jobid/vertices/:vertexid/subtasks/accumulators":                                 VertexSubtaskAccumulators{},
	"GET /jobs/:jobid/vertices/:vertexid/subtasks/metrics":                                      []AggregatedMetric{},
	"GET /jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex":                                Subtask{},
	"GET /jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/metrics":                        []Metric{},
	"GET /jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/attempts/:attempt":              Subtask{},
	"GET /jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/attempts/:attempt/accumulators": AttemptAccumulators{},

	"GET /taskmanagers":                               TaskManagers{},
	"GET /taskmanagers/metrics":                       []AggregatedMetric{},
	"GET /taskmanagers/:taskmanagerid":                TaskManagerDetails{},
	"GET /taskmanagers/:taskmanagerid/metrics":        []Metric{},
	"GET /taskmanagers/:taskmanagerid/log":            textAnswer{},
	"GET /taskmanagers/:taskmanagerid/stdout":         textAnswer{},
	"GET /taskmanagers/:taskmanagerid/logs":           LogList{},
	"GET /taskmanagers/:taskmanagerid/logs/:filename": textAnswer{},
	"GET /taskmanagers/:taskmanagerid/thread-dump":    ThreadDump{},

	"GET /jars":              JarList{},
	"POST /jars/upload":      JarUpload{},
	"GET /jars/:jarid":       Jar{},
	"DELETE /jars/:jarid":    struct{}{},
	"POST /jars/:jarid/run":  JarRun{},
	"GET /jars/:jarid/plan":  JobPlan{},
	"POST /jars/:jarid/plan": JobPlan{},

	"POST /jobs/:jobid/stop":                 noAnswer{},
	"POST /jobs/:jobid/savepoints":           noAnswer{},
	"POST /jobs/:jobid/checkpoints":          noAnswer{},
	"POST /savepoint-disposal":               noAnswer{},
	"PUT /jobs/:jobid/resource-requirements": noAnswer{},

	"GET /weft/cluster":           Cluster{},
	"POST /weft/jobs":             messageAnswer("SubmitReply"),
	"GET /weft/blobs/:sha256":     BlobStatus{},
	"PUT /weft/blobs/:sha256":     BlobStatus{},
	"GET /weft/jobs/:jobid/watch": messageAnswer("WatchReply"),
}

// bodies are what requests carry, by content type.
var bodies = map[string]map[string]any{
	"POST /weft/jobs":         {typeProtobuf: messageAnswer("SubmitRequest"), "application/json": messageAnswer("SubmitRequest")},
	"POST /jars/upload":       {"multipart/form-data": jarForm{}},
	"POST /jars/:jarid/run":   {"application/json": JarRunBody{}},
	"POST /jars/:jarid/plan":  {"application/json": JarRunBody{}},
	"PUT /weft/blobs/:sha256": {"application/octet-stream": []byte{}},
}

// jarForm is the form of POST /jars/upload.
type jarForm struct {
	File []byte `json:"jarfile"`
}
