// Package controlpb is vocabulary: the messages of the control plane between the JobManager and its TaskManagers. Each carries
// the fields by which a receiver refuses what comes from a former JobManager or a former attempt of a job (rules F1 to F3).
package controlpb
