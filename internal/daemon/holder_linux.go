package daemon

import (
	"bytes"
	"cmp"
	"os"
	"slices"
	"strconv"

	"github.com/mixagent/mix/internal/shell"
)

// startedHere reports whether the process that has the socket open was started
// by this one, directly or not.
//
// While no command runs there is nobody it could be. Otherwise the process has
// to be found and followed up to its ancestors: a list of our descendants alone
// would miss one that was born, and given the socket, behind the list's back.
// A process that cannot be found counts as ours.
func startedHere(inode uint32) bool {
	socket := "socket:[" + strconv.FormatUint(uint64(inode), 10) + "]"
	// A program that embeds its server is its own client. This goes first: in
	// the instant before a command is executed, it has all that we have open.
	if holds(os.Getpid(), socket) || nothingRuns() {
		return false
	}
	const looks = 3 // for a socket that is handed on while we look
	for range looks {
		for _, pid := range processes() {
			if !holds(pid, socket) {
				continue
			}
			if ours, ok := descends(pid); ok && holds(pid, socket) {
				return ours
			}
		}
	}
	return true
}

// nothingRuns reports whether this process has no descendants. It looks twice,
// since one that changes its parent can be missed.
func nothingRuns() bool {
	for range 2 {
		if pids, err := shell.Descendants(); err != nil || len(pids) > 0 {
			return false
		}
	}
	return true
}

// holds reports whether a process has the socket open. What belongs to another
// user cannot be seen and has nothing.
func holds(pid int, socket string) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return slices.ContainsFunc(names, func(name string) bool {
		link, err := os.Readlink(dir + "/" + name)
		return err == nil && link == socket
	})
}

// processes returns all processes, the youngest first as a rule: clients are
// younger than the system around them.
func processes() []int {
	f, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.SortFunc(pids, func(a, b int) int { return cmp.Compare(b, a) })
	return pids
}

// descends follows a process up to its ancestors. ok is false when it ended
// meanwhile. A parent that ends on the way has left its children to us or to
// somebody above, so the way begins again.
func descends(pid int) (ours, ok bool) {
	const generations = 10_000 // a bound, should numbers be reused into a circle
	self, at := os.Getpid(), pid
	for range generations {
		parent, alive := parentOf(at)
		switch {
		case !alive && at == pid:
			return false, false
		case !alive:
			at = pid
		case parent == self:
			return true, true
		case parent <= 1:
			return false, true
		default:
			at = parent
		}
	}
	return true, true
}

// parentOf reads /proc/PID/stat; proc_pid_stat(5) puts the name, which may hold
// anything, in brackets before the state and the parent.
func parentOf(pid int) (parent int, alive bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0, false
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return parent, err == nil
}
