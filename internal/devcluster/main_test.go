package devcluster

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// A copy of the test binary plays the process in a container whose memory is checked.
const (
	mapEnv   = "WEFT_TEST_MAP_MB"   // maps so many MiB without touching them
	touchEnv = "WEFT_TEST_TOUCH_MB" // touches so many MiB
	ownerEnv = "WEFT_TEST_OWNER"    // starts a cluster, prints its directory and waits to be killed
)

func TestMain(m *testing.M) {
	for env, touch := range map[string]bool{mapEnv: false, touchEnv: true} {
		if v := os.Getenv(env); v != "" {
			holdMemory(v, touch)
		}
	}
	if os.Getenv(ownerEnv) != "" {
		ownCluster()
	}
	os.Exit(m.Run())
}

// holdMemory maps memory and keeps it until somebody kills the process, at most for a minute.
func holdMemory(megabytes string, touch bool) {
	mb, err := strconv.Atoi(megabytes)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	mem, err := syscall.Mmap(-1, 0, mb<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if touch {
		for i := 0; i < len(mem); i += 4096 {
			mem[i] = 1
		}
	}
	<-time.After(time.Minute)
	os.Exit(0)
}
