package jobmanager_test

import (
	"testing"

	"github.com/weft-project/weft/internal/await"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

const waitsForCertainty = "note: waiting until it is certain that the workers of the attempt before have ended"

// F3: there is a free slot, but a worker of the first attempt may still run, so the job waits for the platform's word.
func TestLostWorkerFencesItsJob(t *testing.T) {
	c := start(t, 1, nil)
	a, spare := c.tm("a", 1), c.tm("b", 1)
	job := c.run(1)
	up(a)
	a.cut()
	c.await(job, planpb.JobStatus_RESTARTING)
	await.Until(t, "the job waits", func() bool {
		s := story(c.now(job))
		return s[len(s)-1] == waitsForCertainty
	})
	// Another job is not held up.
	other := c.run(1)
	otherWorkers, otherTasks := up(spare)
	spare.completes(1, otherWorkers[0], otherTasks[0]...)
	c.await(other, planpb.JobStatus_FINISHED)
	if s := c.now(job).GetStatus(); s != planpb.JobStatus_RESTARTING {
		t.Errorf("status %s before the platform has said anything", s)
	}
	c.say().TaskManagerLost("a", "killed on the node")
	workers, _ := up(spare)
	if workers[0].GetJobAttempt() != 1 {
		t.Errorf("attempt %d", workers[0].GetJobAttempt())
	}
}

// The TaskManager comes back without a worker: nothing can be left of the first attempt.
func TestFenceFallsWhenTheTaskManagerReturns(t *testing.T) {
	c := start(t, 1, nil)
	a := c.tm("a", 1)
	job := c.run(1)
	up(a)
	a.cut()
	c.await(job, planpb.JobStatus_RESTARTING)
	again := c.register(registration("a", 1))
	if again.next().GetRegistered() == nil {
		t.Fatal("not registered")
	}
	if workers, _ := up(again); workers[0].GetJobAttempt() != 1 {
		t.Errorf("attempt %d", workers[0].GetJobAttempt())
	}
}

// Without any word the TaskManager has stopped its workers by itself after the leaderless timeout.
func TestFenceFallsWithTime(t *testing.T) {
	c := start(t, 1, map[string]string{"high-availability.leaderless-timeout": "1 s", "heartbeat.timeout": "1 h"})
	a, spare := c.tm("a", 1), c.tm("b", 1)
	job := c.run(1)
	up(a)
	a.cut()
	c.await(job, planpb.JobStatus_RESTARTING)
	spare.beat(&controlpb.Heartbeat{})
	if workers, _ := up(spare); workers[0].GetJobAttempt() != 1 {
		t.Errorf("attempt %d", workers[0].GetJobAttempt())
	}
}
