//go:build unix && !linux

package taskexec

import (
	"os/exec"
)

// spawner starts processes. Only Linux kills a child with its parent; elsewhere a worker ends because its socket does.
type spawner struct{}

func newSpawner() *spawner { return &spawner{} }

func (s *spawner) close() {}

func (s *spawner) start(cmd *exec.Cmd) error { return cmd.Start() }

// endLeftBehind does nothing here: the environment of a process can not be read.
func endLeftBehind(string) int { return 0 }

// residentMemory is not known here: memory is not watched.
func residentMemory(int) int64 { return 0 }

// physicalMemory is not known here.
func physicalMemory() int64 { return 0 }

// descendantsMemory is not known here.
func descendantsMemory([]int) map[int]int64 { return nil }
