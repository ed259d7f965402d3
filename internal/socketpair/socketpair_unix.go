//go:build unix

package socketpair

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// New makes two connected stream sockets that child processes do not inherit by accident. The first is for this process; the
// second is a file to hand to a child, and its own end of it is then to be closed.
func New() (ours net.Conn, theirs *os.File, err error) {
	// Not every Unix makes them with the flag: no child may be started in between.
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	f := os.NewFile(uintptr(fds[0]), "ours")
	theirs = os.NewFile(uintptr(fds[1]), "theirs")
	ours, err = net.FileConn(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}
