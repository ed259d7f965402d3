package devcluster

import (
	"context"
	"fmt"
	"os"
	"time"
)

// ownCluster is the process that TestClusterDiesWithItsOwner kills.
func ownCluster() {
	ctx := context.Background()
	c, err := Start(ctx, Options{NodeManagers: 1})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	id, err := c.Submit(ctx, Command{Name: "sleep", Shell: "sleep 600"})
	if err == nil {
		err = waitFor(ctx, pollEvery, func() (bool, error) { return len(c.Processes(id)) > 0, nil })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.Dir())
	<-time.After(2 * time.Minute)
	os.Exit(1)
}
