//go:build unix && !linux

package planproc

import "syscall"

// dieWithParent does nothing here: main ends when its socket does.
func dieWithParent() *syscall.SysProcAttr { return nil }
