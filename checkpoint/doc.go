// Package checkpoint is core: the decisions about checkpoints. When one is begun and by which tasks, whether it is complete, what
// is published, notified, deleted, and what a failed job is restored from. No I/O, no goroutine and no clock are in here:
// the JobManager's loop calls the Coordinator's methods with what has happened and the time, and performs the Actions that
// it is given, in their order.
//
// Reading order: Ref, Task, Graph (vocabulary.go), Settings (settings.go), Action (action.go), Coordinator (coordinator.go: what
// happens; pending.go: one checkpoint on its way; request.go: savepoints and stops; store.go: completed ones and their end),
// Regions (region.go), Garbage (garbage.go), barriers as they travel (barrier.go). Packages below: manifest (what is stored),
// schema (types in it), align (barriers at a task's inputs), restore (who gets what).
//
// The life of a checkpoint:
//
//	coordinators acknowledge → sources are triggered → all acknowledge → published → notified → subsumed → deleted
//	      └──────────────── aborted: declined, timed out, a task failed, subsumed ────────────────┘
//
// Invariants, numbered as in docs/design.md, which the simulation (sim_test.go) checks over thousands of seeds:
// C1 no lost or doubled commit; C2 no restore from an unpublished checkpoint; C3 no deletion of a needed file; C4 progress once
// faults stop; C5 tasks hear of a completed checkpoint only after its publication; C6 a published checkpoint holds each subtask's state
// of one and the same attempt of the job's region.
package checkpoint
