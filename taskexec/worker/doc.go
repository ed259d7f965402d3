// Package worker is a driver: the runtime inside a worker process, and inside a local run. It links the chains of the
// tasks deployed to it and runs each in a goroutine of its own, which owns everything the task's operators hold.
//
// Reading order: runtime.go (deploy, cancel, metrics), task.go (the life of one task), loop.go (the source and the gate
// loop), failure.go (what went wrong, and whose it is), coordinator.go (the job's coordinator task), serve.go (the worker
// role: a TaskManager at the other end of a socket), local.go (a whole job in this process).
//
// It knows no job SDK and no cluster: the program and the protocol messages are all it gets.
package worker
