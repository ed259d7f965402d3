// Package doctor is a driver: it looks at a machine and a cluster as the first job would, and says of each thing whether it is
// right, and if not what is wrong and how to mend it. It changes nothing, but for a small file in the user's home directory
// that it writes and removes.
//
// Reading order: Run (doctor.go) has the checks in their order; those of the machine are in machine.go, who we are in
// login.go, servers and their handshakes in servers.go, clocks and versions in web.go, YARN in yarn.go, HDFS in files.go.
//
// Each check tells one Finding or several and leaves in the examination what later checks build on: without a configuration
// nothing else is looked at, without a ResourceManager no queue.
package doctor
