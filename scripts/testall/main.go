// Command testall is a driver: it runs the module's tests on a private Hadoop that all packages share, then those of
// packages with goroutines under the race detector, then some on an older Hadoop, and says at the end what passed. It is what "make test" runs.
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
	"strings"
	"syscall"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
)

// distEnv names the variable by which tests find the distribution that was built.
const distEnv = "WEFT_TEST_DIST"

func main() {
	budget := flag.Duration("budget", 57*time.Minute, "time for everything")
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

func run(ctx context.Context, packages, pattern string, raceAll bool) error {
	began := time.Now()
	dist, err := filepath.Abs(filepath.Join("build", "dist"))
	if err != nil {
		return err
	}
	tested, err := splitPackages(ctx, packages)
	if err != nil {
		return err
	}
	total := &tally{}
	var only []string
	if pattern != "" {
		only = []string{"-run", pattern}
	}
	// Built as the distribution is, so that what it was built of is not compiled again.
	// More at a time is more than a small machine can do, and more than a private Hadoop has room for.
	real, race := slices.Concat([]string{"-parallel", "2", "-trimpath", "-tags", "realhadoop"}, only), slices.Concat([]string{"-race"}, only)
	var steps []step
	if len(tested.plain) > 0 {
		steps = append(steps, step{"the tests, on the real Hadoop", slices.Concat(real, tested.plain), true})
	}
	if len(tested.race) > 0 {
		steps = append(steps, step{"quick tests of packages with goroutines, under the race detector", slices.Concat(race, tested.race), false})
	}
	if raceAll {
		// Also those that take minutes whatever the machine.
		long := slices.Concat([]string{"-trimpath", "-tags", "realhadoop,long", "-race"}, only)
		steps = []step{{"the tests, on the real Hadoop, under the race detector", append(long, packages), true}}
	}
	logs, err := onCluster(ctx, devcluster.DefaultVersion, steps, dist, total)
	if err != nil {
		return err
	}
	if packages == "./..." && pattern == "" {
		older := step{"what depends on Hadoop's protocols, on Hadoop " + olderVersion,
			slices.Concat([]string{"-trimpath", "-tags", "realhadoop", "-run", olderTests}, olderPackages), true}
		olderLogs, err := onCluster(ctx, olderVersion, []step{older}, dist, total)
		if err != nil {
			return err
		}
		logs = append(logs, olderLogs...)
	}
	total.print(os.Stdout, time.Since(began))
	if total.failed() {
		return fmt.Errorf("tests failed; the logs of shared clusters are in %s", strings.Join(logs, ", "))
	}
	return nil
}

// The release line before the newest is tested where it could differ: the protocols of YARN and HDFS, and word counts by the
// distribution in each mode.
const (
	olderVersion = "3.3.6"
	olderTests   = "^(TestConformance|TestApplication|TestQueries|TestRefusals|TestSchedulerWantsToken|TestUnmanaged|TestOwnCluster|TestKilled)$"
)

var olderPackages = []string{"./internal/fs/hdfs", "./yarnrpc/yarntest", "./internal/acceptance"}

// onCluster runs steps beside a Hadoop that their tests share. Its logs are kept when tests have failed.
func onCluster(ctx context.Context, version string, steps []step, dist string, total *tally) (logs []string, err error) {
	fmt.Printf("== starting the Hadoop %s that the tests share\n", version)
	c, err := devcluster.Start(ctx, devcluster.Options{Version: version, Log: os.Stdout})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	failures := len(total.failures)
	for _, s := range steps {
		if err := s.run(ctx, c, dist, total); err != nil {
			return nil, err
		}
	}
	if len(total.failures) == failures {
		return nil, nil
	}
	return []string{c.LogDir()}, c.Keep()
}
