package jobmanager

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/id"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/restpb"
)

// Submissions keeps what was submitted until the job has ended, so that a JobManager after this one can run it again.
type Submissions interface {
	// Save keeps a submission, which names its job. A submission is answered only after that.
	Save(ctx context.Context, r *restpb.SubmitRequest) error
	// Remove forgets a job's submission; one that is not there is no error.
	Remove(ctx context.Context, job string) error
}

// earlier stands for the TaskManagers of the JobManager before this one among the fences of a job.
const earlier = "the JobManager before this one"

// removeLimit bounds the removal of a submission.
const removeLimit = 10 * time.Second

// restore makes jobs of the submissions that the JobManager before this one has left. They do not start while a worker of it may
// run (F3). Its unfinished output stays until the job ends: it tells whether what was published is this job's (rule of the sinks).
func (m *JobManager) restore() error {
	for _, r := range m.o.Restored {
		jid, err := id.ParseJob(r.GetJobId())
		if err != nil {
			return err
		}
		j, err := m.make(jid, r)
		if err != nil {
			return fmt.Errorf("job %s of the JobManager before this one: %w", r.GetJobId(), err)
		}
		j.fences[earlier] = time.Now()
		j.firstAttempt = m.o.FirstAttempt
		// Who watched the job before has seen smaller numbers.
		j.sequence = uint64(nowMs())
		m.enter(j)
		j.note("another JobManager has taken the job over; it starts from its beginning")
	}
	return nil
}

// releaseRestored lets restored jobs start when nothing runs any more of the JobManager before.
func (m *JobManager) releaseRestored(ctx context.Context) {
	if m.o.EarlierGone != nil {
		m.o.EarlierGone(ctx)
	}
	if ctx.Err() != nil {
		return
	}
	m.l.post(func() {
		m.unfence(earlier)
		m.schedule()
	})
}

// keep saves a submission of a job that is not known yet; forget takes that back.
func (m *JobManager) keep(ctx context.Context, r *restpb.SubmitRequest) (kept *restpb.SubmitRequest, forget func(), err error) {
	if m.o.Submissions == nil {
		return r, func() {}, nil
	}
	if r.GetJobId() == "" {
		r = proto.Clone(r).(*restpb.SubmitRequest)
		r.JobId = id.NewJob().String()
	}
	known, err := query(ctx, m, func() (bool, error) { return m.jobOf(r.GetJobId()) != nil, nil })
	if known || err != nil {
		return r, func() {}, err
	}
	if err := m.o.Submissions.Save(ctx, r); err != nil {
		return nil, nil, rest.Unavailable("the submission could not be kept for another JobManager: %v", err)
	}
	return r, func() { m.removeSubmission(r.GetJobId()) }, nil
}

// removeSubmission forgets the submission of a job that has ended.
func (m *JobManager) removeSubmission(job string) {
	if m.o.Submissions == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), removeLimit)
	defer cancel()
	if err := m.o.Submissions.Remove(ctx, job); err != nil {
		m.o.Log.Warn("a submission could not be removed: a JobManager after this one would run the job again", "job", job, "error", err)
	}
}
