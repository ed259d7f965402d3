package client

import "syscall"

// changeTime is when content or attributes of a file changed last, in nanoseconds.
func changeTime(st *syscall.Stat_t) int64 { return st.Ctimespec.Nano() }
