package rpc

import (
	"net"
	"testing"
	"time"
)

// A connection whose idle time is over at once ends, whatever the timing.
func TestIdleAtOnce(t *testing.T) {
	for range 2000 {
		near, far := net.Pipe()
		n := newConnection(&Conn{Conn: near}, Options{IdleTimeout: 1, MaxFrame: 1 << 10, PingInterval: time.Hour}, func(*connection) {})
		<-n.done
		if err := far.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
