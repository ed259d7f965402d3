package jobmanager_test

import "testing"

// Many jobs that wait for one large TaskManager start there all at once; what is sent to it then is no sign that it is stuck.
func TestManyJobsStartAtOnce(t *testing.T) {
	const jobs = 4000
	c := start(t, jobs, nil)
	for range jobs {
		c.run(1)
	}
	tm := c.tm("a", jobs)
	for range jobs {
		tm.startWorker()
	}
}
