package shell

import (
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lockThread ties the calling goroutine to its operating system thread. With
// confined the thread is not given back but ends with the goroutine.
func lockThread(confined bool) (release func()) {
	runtime.LockOSThread()
	if confined {
		return func() {}
	}
	return runtime.UnlockOSThread
}

// startGroup starts the shell in a session of its own and tags it before its
// first instruction. The calling thread must stay until the shell was waited for.
func startGroup(path string, argv []string, attr *os.ProcAttr, c *Command) (*os.Process, *group, error) {
	attr.Sys = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Ptrace: true}
	p, err := os.StartProcess(path, argv, attr)
	if errors.Is(err, syscall.EPERM) {
		// Where tracing is forbidden the shell is not held at its exec; it needs
		// longer to start its first process than we to tag it.
		attr.Sys.Ptrace = false
		p, err = os.StartProcess(path, argv, attr)
	}
	if err != nil {
		return nil, nil, err
	}
	if attr.Sys.Ptrace {
		waitStopped(p.Pid)
	}
	tag := setTag(p.Pid)
	limitTasks(p.Pid, c.maxProcs())
	g := newGroup(p.Pid, tag)
	if c.Marks != "" {
		// In another thread: this one may be confined as the command is.
		marked := make(chan string)
		go func() { marked <- setMark(c.Marks, tag) }()
		g.mark = <-marked
	}
	if attr.Sys.Ptrace {
		// This fails when something killed the shell at its exec, which waiting
		// for it will tell.
		_ = unix.PtraceDetach(p.Pid)
	}
	return p, g, nil
}

// waitStopped waits until the new process stands at its exec. It does not ask
// for exits, so a process that was killed before keeps its status for os.Process.
func waitStopped(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// Tags lie between these. Limits that others set are far below, or not set.
const mostTag, leastTag uint64 = 1 << 62, 1 << 40

// setTag gives pid a random hard limit on locks that lies in the upper half of
// what it may have, so that a Mix inside a command of Mix finds room for tags
// too, twenty levels deep. It returns 0 when no tag could be set.
func setTag(pid int) uint64 {
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_LOCKS, nil, &limit); err != nil {
		return 0
	}
	top := min(limit.Max, mostTag)
	if top/2 < leastTag {
		return 0
	}
	tag := top/2 + rand.Uint64N(top/2)
	limit = unix.Rlimit{Cur: tag, Max: tag}
	if err := unix.Prlimit(pid, unix.RLIMIT_LOCKS, &limit, nil); err != nil {
		return 0
	}
	return tag
}

// tagOf is the tag of any process, 0 when it cannot be learned.
func tagOf(pid int) uint64 {
	var limit unix.Rlimit
	err := unix.Prlimit(pid, unix.RLIMIT_LOCKS, nil, &limit)
	if err == nil {
		return limit.Max
	}
	if !errors.Is(err, unix.EPERM) {
		return 0
	}
	// Another user's process, after a set-user-id program: its file is open to all.
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/limits")
	_, line, _ := strings.Cut(string(text), "Max file locks")
	if fields := strings.Fields(line); len(fields) >= 2 {
		tag, _ := strconv.ParseUint(fields[1], 10, 64)
		return tag
	}
	return 0
}

// limitTasks lets the user have a few times maxProcs more tasks than the system
// has now. The limit counts all tasks of the user, so it can only be a coarse
// bound on what a fork bomb does between two looks; it does not bind root.
func limitTasks(pid, maxProcs int) {
	tasks, _, ok := readLoad()
	var limit unix.Rlimit
	if maxProcs <= 0 || !ok || unix.Prlimit(pid, unix.RLIMIT_NPROC, nil, &limit) != nil {
		return
	}
	limit.Max = min(limit.Max, uint64(tasks)+4*uint64(maxProcs))
	limit.Cur = min(limit.Cur, limit.Max)
	_ = unix.Prlimit(pid, unix.RLIMIT_NPROC, &limit, nil)
}

// readLoad returns, from /proc/loadavg, how many tasks the system has and the
// last process id that was given out in this namespace.
func readLoad() (tasks int, last string, ok bool) {
	fields := strings.Fields(readProc("/proc/loadavg"))
	if len(fields) < 5 {
		return 0, "", false
	}
	_, total, _ := strings.Cut(fields[3], "/")
	tasks, err := strconv.Atoi(total)
	return tasks, fields[4], err == nil
}

// looker finds processes in the cheapest way that will do.
type looker struct {
	last    string // process id given out last, at the last look
	skipped int
	many    bool // the command was seen to have more than its shell
}

// due reports whether a look is worth its cost: nobody can have become a member
// while the whole system started no process. Dead orphans wait a second at most.
func (l *looker) due() bool {
	const mostSkipped = 20
	_, last, ok := readLoad()
	if ok && last == l.last && l.skipped < mostSkipped {
		l.skipped++
		return false
	}
	l.last, l.skipped = last, 0
	return true
}

// quick looks at the descendants of this process and not into those of its
// children that do not belong to g.
func (l *looker) quick(g *group) map[int]proc {
	if !hasChildrenFiles() {
		return allProcs()
	}
	procs := walk(func(p proc) bool { return g.mine(p, false) })
	l.many = l.many || len(procs) > 1
	return procs
}

// thorough must find every member. All of them are descendants when orphans
// come to this process, and then two quick looks suffice for a command that was
// never seen to have others: a child that changes its parent during one is found
// by the next. Else it takes all processes of the system.
func (l *looker) thorough(g *group) map[int]proc {
	if l.many || !isSubreaper() || !hasChildrenFiles() {
		return allProcs()
	}
	procs := l.quick(g)
	for pid, p := range l.quick(g) {
		procs[pid] = p
	}
	return procs
}

// strike is for members that live too short for looking first and killing then,
// since they fork and end all the time. Every one of them is an orphan at once
// and is killed on sight, until there is none.
func (l *looker) strike(g *group) {
	const most = 20 * time.Millisecond
	if g.tag == 0 {
		return
	}
	clean := 0
	for begin := time.Now(); clean < 2 && time.Since(begin) < most; {
		clean++
		for _, pid := range orphanage() {
			if pid == g.shell.pid || tagOf(pid) != g.tag {
				continue
			}
			clean = 0
			if !reap(pid) {
				_ = unix.Kill(pid, unix.SIGKILL)
				g.sent[pid] = 0
			}
		}
	}
}

// orphanage is where orphans turn up: as children of the first thread of this
// process or, when they go to another, anywhere. The youngest come first.
func orphanage() []int {
	pid := strconv.Itoa(os.Getpid())
	var list []string
	if isSubreaper() && hasChildrenFiles() {
		list = strings.Fields(readProc("/proc/" + pid + "/task/" + pid + "/children"))
	} else {
		list = names("/proc")
	}
	slices.Reverse(list)
	var pids []int
	for _, name := range list {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
