// Package planpb is a vocabulary: the job graph, and the plan protocol between a job's main and whoever wants its graph.
package planpb
