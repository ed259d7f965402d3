package checkpoint

import "github.com/weft-project/weft/checkpoint/manifest"

// Action is something that the caller does, in the order in which actions are given.
type Action interface{ action() }

// Trigger tells running tasks to take a snapshot and send the barrier on. Tasks[i] is told with the attempt it runs in.
type Trigger struct {
	Barrier
	Tasks []Member
}

// Resume tells coordinator tasks that held assignments back for the checkpoint to go on: the barrier is past the sources.
type Resume struct {
	Ref
	Tasks []Member
}

// Publish stores the manifest (F4) and answers with Published. Only one is under way at a time.
type Publish struct {
	Ref
	Kind     Kind
	Manifest *manifest.Manifest
	// Target is the URI of a savepoint's directory, in which its state lies already. For a Stop the savepoint's manifest is written first,
	// then Manifest is published as a checkpoint too; its Base is Target.
	Target string
}

// Notify tells all running tasks that the checkpoint is complete: they commit what they have prepared for it and for earlier
// ones. A task that has been told with Stop ends.
type Notify struct {
	Ref
	Tasks []Member
	Stop  bool
}

// NotifyAborted tells all running tasks that the checkpoint will not complete. What was prepared for it is kept for the next.
type NotifyAborted struct {
	Ref
	Tasks []Member
	// Continue: sources that had stopped for it go on.
	Continue bool
}

// Abandon tells running tasks that no checkpoint before that ref will complete, whoever began it: nothing is held back for one, and
// sources that had stopped for one go on. A Notify of a published one may follow.
type Abandon struct {
	Before Ref
	Tasks  []Member
}

// Discard deletes files that no checkpoint refers to or will: of an aborted one, or of a late acknowledgement. It may fail, what is
// left is found as garbage. Target is set when they lie in a savepoint's directory, which goes with them. Claimed, without the others, is the
// path of a savepoint or checkpoint that the job has claimed and needs no more.
type Discard struct {
	Ref
	Target  string
	Files   []string
	Claimed string
}

// Delete removes a completed checkpoint: first its manifest, then these files. It may fail, like Discard.
type Delete struct {
	Ref
	Files []string
}

// Reopen asks for the store to be fenced and read again, since the outcome of a publication is unknown; the answer is Reopened.
type Reopen struct{}

// Fail asks for the job to be restarted from its restore point. Nothing is triggered until Halt and Run.
type Fail struct{ Reason string }

// Answer ends a request.
type Answer struct {
	// Request is Request.ID.
	Request string
	Ref     Ref
	// Path is the savepoint's directory. Err is nil when it was written.
	Path string
	Err  error
	// WithoutUID names stateful operators without a UID, of which a savepoint's taker is warned.
	WithoutUID []string
}

// Ended tells of a checkpoint's end, for history and log.
type Ended struct{ Record }

func (Trigger) action()       {}
func (Resume) action()        {}
func (Publish) action()       {}
func (Notify) action()        {}
func (NotifyAborted) action() {}
func (Abandon) action()       {}
func (Discard) action()       {}
func (Delete) action()        {}
func (Reopen) action()        {}
func (Fail) action()          {}
func (Answer) action()        {}
func (Ended) action()         {}
