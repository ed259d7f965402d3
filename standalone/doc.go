// Package standalone is a driver: the processes of a cluster without YARN. A JobManager whose TaskManagers come by themselves,
// TaskManagers that find it by configuration, and the start and end of both on this and other machines: what the scripts
// start-cluster.sh, jobmanager.sh and taskmanager.sh call.
package standalone
