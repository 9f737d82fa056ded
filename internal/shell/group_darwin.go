package shell

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockThread ties the calling goroutine to its operating system thread while it
// starts the command and waits for it.
func lockThread(bool) (release func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

// startGroup starts the shell in a session of its own.
func startGroup(path string, argv []string, attr *os.ProcAttr, _ *Command) (*os.Process, *group, error) {
	attr.Sys = &syscall.SysProcAttr{Setsid: true}
	p, err := os.StartProcess(path, argv, attr)
	if err != nil {
		return nil, nil, err
	}
	return p, newGroup(p.Pid, 0), nil
}

// tagOf is always 0: nothing that an ordinary process may set is inherited,
// lasting and open to others here.
func tagOf(int) uint64 { return 0 }

// looker asks the kernel for all processes every time. Members that have left
// their session and their parent are known from earlier looks.
type looker struct{}

func (looker) strike(*group)                {}
func (looker) due() bool                    { return true }
func (looker) quick(*group) map[int]proc    { return allProcs() }
func (looker) thorough(*group) map[int]proc { return allProcs() }

func look(pid int) (proc, bool) {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(k.Proc.P_pid) != pid {
		return proc{}, false
	}
	return fromKinfo(k), true
}

func allProcs() map[int]proc {
	list, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil
	}
	procs := make(map[int]proc, len(list))
	for i := range list {
		p := fromKinfo(&list[i])
		procs[p.pid] = p
	}
	return procs
}

// fromKinfo translates the states of sys/proc.h and finds the session.
func fromKinfo(k *unix.KinfoProc) proc {
	p := proc{
		pid:   int(k.Proc.P_pid),
		ppid:  int(k.Eproc.Ppid),
		state: 'R',
		start: uint64(k.Proc.P_starttime.Nano()),
	}
	switch k.Proc.P_stat {
	case 4: // SSTOP
		p.state = 'T'
	case 5: // SZOMB
		p.state = 'Z'
	}
	// The process may be gone, or not ours to ask about; it has no session then.
	p.sid, _ = unix.Getsid(p.pid)
	return p
}
