//go:build linux || darwin

package shell

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// proc is one process at the time of a look at it.
type proc struct {
	pid, ppid, sid int
	state          byte   // as in /proc/PID/stat; 'Z' is a zombie
	start          uint64 // with pid, names a process for good
}

func (p proc) runs() bool {
	switch p.state {
	case 'Z', 'X', 'T', 't':
		return false
	}
	return true
}

// group is the processes of one command. It is not safe for concurrent use.
type group struct {
	shell proc
	tag   uint64         // 0 when the system has none
	mark  string         // the file that tells of the tag, "" without
	known map[int]uint64 // members seen alive: pid → start
	sent  map[int]uint64 // members that were signalled, without the shell
	looks looker
}

func newGroup(shell int, tag uint64) *group {
	g := &group{tag: tag, known: map[int]uint64{}, sent: map[int]uint64{}}
	g.shell = proc{pid: shell}
	if p, ok := look(shell); ok {
		g.shell = p
	}
	return g
}

// mine reports whether p itself shows that it belongs to the command; its
// descendants do as well. Reused is whether another process has got the shell's
// number, which then says nothing as a session.
func (g *group) mine(p proc, reused bool) bool {
	if p.pid == os.Getpid() || p.start < g.shell.start {
		return false
	}
	if start, ok := g.known[p.pid]; ok && start == p.start {
		return true
	}
	if p.pid == g.shell.pid || p.sid == g.shell.pid {
		return !reused
	}
	return g.tag != 0 && tagOf(p.pid) == g.tag
}

// members picks the command's processes out of procs, zombies included, and
// remembers them.
func (g *group) members(procs map[int]proc) []proc {
	shell, ok := procs[g.shell.pid]
	reused := ok && shell.start != g.shell.start
	children := make(map[int][]int, len(procs))
	var todo []int
	for pid, p := range procs {
		children[p.ppid] = append(children[p.ppid], pid)
		if g.mine(p, reused) {
			todo = append(todo, pid)
		}
	}
	seen := make(map[int]bool, len(todo))
	var found []proc
	for len(todo) > 0 {
		pid := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[pid] {
			continue
		}
		seen[pid] = true
		found = append(found, procs[pid])
		todo = append(todo, children[pid]...)
	}
	clear(g.known)
	for _, p := range found {
		g.known[p.pid] = p.start
	}
	return found
}

// alive is the members without those that are over, and how many of these it
// waited for: zombies whose parent this process is. Those of a parent outside
// the command are that parent's to wait for, and the shell's exit status belongs
// to its os.Process.
func (g *group) alive(procs map[int]proc) (left []proc, reaped int) {
	for _, p := range g.members(procs) {
		if p.state == 'Z' {
			_, inside := g.known[p.ppid]
			switch {
			case p.pid == g.shell.pid:
				continue
			case inside:
			case p.ppid != os.Getpid():
				continue
			case reap(p.pid):
				reaped++
				continue
			}
		}
		left = append(left, p)
	}
	return left, reaped
}

// reap waits for a zombie that is a child of this process. A zombie that cannot
// be waited for still has threads that run.
func reap(pid int) bool {
	var status unix.WaitStatus
	got, err := unix.Wait4(pid, &status, unix.WNOHANG, nil)
	return got == pid || err == unix.ECHILD
}

// count is how many processes the command has, roughly: a cheap look that is
// made all the while the command runs, and that waits for dead orphans. These
// count too: a process that lives on by forking and ending leaves many.
func (g *group) count() int {
	if !g.looks.due() {
		return len(g.known)
	}
	left, reaped := g.alive(g.looks.quick(g))
	return len(left) + reaped
}

// left is how many processes besides the shell are not gone yet. One that this
// look found dead still counts, since it may have left another behind; the next
// look will tell.
func (g *group) left() int {
	left, n := g.alive(g.looks.thorough(g))
	for _, p := range left {
		if p.pid != g.shell.pid {
			n++
		}
	}
	return n
}

// terminate asks all members to end. While the shell runs its process group is
// told as one, so that none of it can be missed.
func (g *group) terminate(shellRuns bool) {
	found, _ := g.alive(g.looks.thorough(g))
	if shellRuns {
		_ = unix.Kill(-g.shell.pid, unix.SIGTERM)
	}
	for _, p := range found {
		if pgid, err := unix.Getpgid(p.pid); shellRuns && err == nil && pgid == g.shell.pid {
			g.note(p)
			continue
		}
		g.signal(p, unix.SIGTERM)
	}
}

// kill stops the members until none is left that could start another, and then
// kills them. Those that are in the middle of a system call may need a further
// round, which is the caller's to ask for.
func (g *group) kill() {
	const rounds = 20
	for range rounds {
		g.looks.strike(g)
		left, _ := g.alive(g.looks.thorough(g))
		running := false
		for _, p := range left {
			if p.runs() {
				g.signal(p, unix.SIGSTOP)
				running = true
			}
		}
		if !running {
			break
		}
	}
	left, _ := g.alive(g.looks.thorough(g))
	for _, p := range left {
		g.signal(p, unix.SIGKILL)
	}
}

// signal may find that p has ended since the look at it, which is as good.
func (g *group) signal(p proc, sig syscall.Signal) {
	g.note(p)
	_ = unix.Kill(p.pid, sig)
}

func (g *group) note(p proc) {
	if p.pid != g.shell.pid {
		g.sent[p.pid] = p.start
	}
}

// signalled is how many processes besides the shell were told to end.
func (g *group) signalled() int { return len(g.sent) }

// close gives back what the group holds of the system. Gone is whether nothing
// of the command is left, which ends its mark.
func (g *group) close(gone bool) {
	if gone && g.mark != "" {
		_ = os.Remove(g.mark) // a mark of nobody does no harm
	}
}

// exitStatus follows the shells' convention for an end by a signal.
func exitStatus(s *os.ProcessState) (code int, signal string) {
	ws, ok := s.Sys().(syscall.WaitStatus)
	if ok && ws.Signaled() {
		return 128 + int(ws.Signal()), unix.SignalName(ws.Signal())
	}
	return s.ExitCode(), ""
}

// shellArgs is how line is run. The double dash keeps a line that begins with a
// dash from being an option.
func shellArgs(line string) (path string, argv []string, err error) {
	for _, path := range []string{"/bin/bash", "/bin/sh"} {
		if _, err := os.Stat(path); err == nil {
			return path, []string{path[len("/bin/"):], "-c", "--", line}, nil
		}
	}
	return "", nil, ErrNoShell
}
