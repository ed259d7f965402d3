package devcluster

import (
	"fmt"
	"net"
	"os"
	"strconv"
)

// Blocks lie below Linux's ephemeral ports (32768 and up), so that no outgoing connection takes a daemon's port while
// that is restarted.
const (
	firstPort = 20000
	blockSize = 64
	blocks    = 190
)

// Ports within a block. Port 0 of it is the claim.
const (
	portClaim = iota
	portNNRPC
	portNNHTTP
	portRMClient
	portRMScheduler
	portRMTracker
	portRMAdmin
	portRMWeb
	portKDC
	portKDCAhead
	portDN0 = 10 // data, ipc, http for each DataNode
	portNM0 = 30 // container manager, localizer, web for each NodeManager
)

// claimPorts returns the first port of a block that is free, and the listening socket that claims it. Whoever keeps the
// socket open (the daemons inherit it) keeps the claim (D3).
func claimPorts() (base int, claim *os.File, err error) {
	start := os.Getpid() % blocks // not always the same block: a client left over from the last cluster should not meet the next one
	for i := range blocks {
		base := firstPort + (start+i)%blocks*blockSize
		l, err := net.Listen("tcp", loopback(base+portClaim))
		if err != nil {
			continue
		}
		if !blockFree(base) {
			l.Close()
			continue
		}
		f, err := l.(*net.TCPListener).File()
		l.Close()
		if err != nil {
			return 0, nil, fmt.Errorf("claim ports: %w", err)
		}
		return base, f, nil
	}
	return 0, nil, fmt.Errorf("no free block of %d ports on 127.0.0.1 between %d and %d", blockSize, firstPort, firstPort+blocks*blockSize)
}

func blockFree(base int) bool {
	for p := base + 1; p < base+blockSize; p++ {
		l, err := net.Listen("tcp", loopback(p))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

func localhost(port int) string { return "localhost:" + strconv.Itoa(port) }
