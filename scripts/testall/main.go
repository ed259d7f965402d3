// Command testall is a driver: it runs the module's tests on a private Hadoop that all packages share, then those of
// packages with goroutines under the race detector, and says at the end what passed. It is what "make test" runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
)

// distEnv names the variable by which tests find the distribution that was built.
const distEnv = "WEFT_TEST_DIST"

func main() {
	budget := flag.Duration("budget", 55*time.Minute, "time for everything")
	raceAll := flag.Bool("race-all", false, "race detector also for the tests on the real Hadoop")
	packages := flag.String("packages", "./...", "packages to test")
	runPattern := flag.String("run", "", "go test's -run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeoutCause(ctx, *budget, fmt.Errorf("the tests took longer than their budget of %v", *budget))
	err := run(ctx, *packages, *runPattern, *raceAll)
	cancel()
	stop()
	if err != nil {
		fmt.Println("FAIL:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, packages, pattern string, raceAll bool) (err error) {
	began := time.Now()
	dist, err := filepath.Abs(filepath.Join("build", "dist"))
	if err != nil {
		return err
	}
	tested, err := splitPackages(ctx, packages)
	if err != nil {
		return err
	}
	fmt.Println("== starting the Hadoop that the tests share")
	c, err := devcluster.Start(ctx, devcluster.Options{Log: os.Stdout})
	if err != nil {
		return err
	}
	defer func() {
		if serr := c.Stop(); serr != nil {
			err = errors.Join(err, serr)
		}
	}()
	total := &tally{}
	var only []string
	if pattern != "" {
		only = []string{"-run", pattern}
	}
	// Built as the distribution is, so that what it was built of is not compiled again.
	real, race := slices.Concat([]string{"-trimpath", "-tags", "realhadoop"}, only), slices.Concat([]string{"-race"}, only)
	steps := []step{
		{"the tests, on the real Hadoop", slices.Concat(real, tested.plain), true},
		{"quick tests of packages with goroutines, under the race detector", slices.Concat(race, tested.race), false},
	}
	if raceAll {
		steps = []step{{"the tests, on the real Hadoop, under the race detector", append(real, "-race", packages), true}}
	}
	for _, s := range steps {
		if err := s.run(ctx, c, dist, total); err != nil {
			return err
		}
	}
	total.print(os.Stdout, time.Since(began))
	if total.failed() {
		if err := c.Keep(); err != nil {
			return err
		}
		return fmt.Errorf("tests failed; the shared cluster's logs are in %s", c.LogDir())
	}
	return nil
}
