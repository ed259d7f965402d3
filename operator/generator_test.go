package operator

import "testing"

// A generator with a rate makes what its clock allows, the first record at once, and catches up for a second at most.
func TestGeneratorWithARate(t *testing.T) {
	clock, mail := &TestClock{}, NewMailbox()
	clock.Set(1_000_000)
	c := &Context{Ctx: t.Context(), Clock: clock, Post: mail.Post, Parallelism: 2, Op: -1}
	made := 0
	inst, err := RatedFactory(10_000, 400, func(i int64, v *int64) { *v = i })(c, 0, Emit[int64](func(*int64) { made++ }))
	if err != nil {
		t.Fatal(err)
	}
	g := inst.Operator.(Source)
	until := func(at int64) int {
		t.Helper()
		clock.Set(at)
		mail.Run()
		before := made
		for {
			switch status, err := g.Poll(); {
			case err != nil:
				t.Fatal(err)
			case status != More:
				return made - before
			}
		}
	}
	for i, step := range []struct {
		at   int64
		want int
	}{{1_000_000, 1}, {1_000_004, 0}, {1_000_005, 1}, {1_000_015, 2}, {1_001_015, 200}, {1_100_000, 200}, {1_100_005, 1}} {
		if got := until(step.at); got != step.want {
			t.Errorf("step %d: %d records by %d ms, expected %d", i, got, step.at, step.want)
		}
	}
	if made < 400 || g.Close(nil) != nil {
		t.Errorf("%d records", made)
	}
}
