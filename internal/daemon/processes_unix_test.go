//go:build unix

package daemon_test

import "syscall"

// processRuns reports whether a process is there, as a zombie at least.
func processRuns(pid int) bool { return syscall.Kill(pid, 0) == nil }
