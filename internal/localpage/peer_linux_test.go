package localpage

import (
	"net"
	"strings"
	"testing"
)

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1
   1: 0100007F:A2C4 0100007F:1F91 01 00000000:00000000 00:00000000 00000000  1001        0 2 1
   2: 0000000000000000FFFF00000100007F:A2C5 0000000000000000FFFF00000100007F:1F91 01 00000000:00000000 00:00000000 00000000  1002        0 3 1
   3: short
   4: 0100007F:zz 0100007F:1F91 01 0:0 0:0 0 x
`

func TestOwnerOf(t *testing.T) {
	at := func(port int) *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
	for port, want := range map[int]int{0xA2C4: 1001, 0xA2C5: 1002, 0xA2C6: -1} {
		uid, found := ownerOf(strings.NewReader(table), at(port), at(0x1F91))
		if found != (want > 0) || found && uid != want {
			t.Errorf("port %x: %d, %v; expected %d", port, uid, found, want)
		}
	}
}
