// Package graph is core: it turns what an author wrote (Node, the stream graph) into what is deployed (planpb.JobGraph)
// and the code that stays in the process (operator.Program).
//
// Compile does it in this order: names and UIDs are checked, parallelism is settled (configuration < environment <
// operator), combiners are put before keyed aggregations of BATCH jobs, neighbours are chained, ids and the canonical text
// with its fingerprint are made (W4). The outcome depends on the program's graph and its settings alone, so that plan and
// workers agree.
//
// graph/execution holds the other half: what becomes of a JobGraph while it runs.
package graph
