package localpage

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// knowsPeers: the kernel says whose the other end of a connection on this machine is.
const knowsPeers = true

// ownPeer tells whether the other end belongs to this user, or to root.
func ownPeer(c net.Conn) bool {
	peer, ok := c.RemoteAddr().(*net.TCPAddr)
	own, ok2 := c.LocalAddr().(*net.TCPAddr)
	if !ok || !ok2 {
		return false
	}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		uid, found := ownerOf(f, peer, own)
		_ = f.Close()
		if found {
			return uid == os.Getuid() || uid == 0
		}
	}
	return false
}

// ownerOf finds the user of the socket with these two ends in one of the kernel's tables.
func ownerOf(table io.Reader, local, remote *net.TCPAddr) (uid int, found bool) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid …
		f := strings.Fields(lines.Text())
		if len(f) < 8 || !isAddress(f[1], local) || !isAddress(f[2], remote) {
			continue
		}
		uid, err := strconv.Atoi(f[7])
		return uid, err == nil
	}
	return 0, false
}

// isAddress compares the kernel's form of an address, 0100007F:1F91: bytes of each word in the machine's order, here the small end
// first, and perhaps an IPv4 address as an IPv6 one.
func isAddress(text string, a *net.TCPAddr) bool {
	ip, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(ip)
	if err != nil || port != fmt.Sprintf("%04X", a.Port) || len(b)%4 != 0 {
		return false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	return net.IP(b).Equal(a.IP)
}
