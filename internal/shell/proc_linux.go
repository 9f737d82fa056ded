package shell

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Subreaper makes this process the parent of its descendants' orphans, in place
// of init. A server calls it once at its start; without it Run finds the orphans
// of a command all the same, but has to look at every process of the system.
func Subreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the parent of orphaned processes: %w", err)
	}
	return nil
}

func isSubreaper() bool {
	var on int32
	_, _, errno := unix.Syscall(unix.SYS_PRCTL, unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&on)), 0)
	return errno == 0 && on != 0
}

// Descendants returns the process ids of all current descendants of this
// process, zombies included, in no order. It costs a few reads when there are
// none. With Subreaper nothing that this process started, directly or not, is
// missing from it, except what changed its parent during the call.
func Descendants() ([]int, error) {
	var pids []int
	if hasChildrenFiles() {
		for pid := range walk(func(proc) bool { return true }) {
			pids = append(pids, pid)
		}
		return pids, nil
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	procs := allProcs()
	for pid := range procs {
		if descends(procs, pid) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// descends reports whether pid is a descendant of this process.
func descends(procs map[int]proc, pid int) bool {
	self := os.Getpid()
	for range len(procs) { // a bound, should numbers be reused into a circle
		p, ok := procs[pid]
		if !ok {
			return false
		}
		if p.ppid == self {
			return true
		}
		pid = p.ppid
	}
	return false
}

// hasChildrenFiles reports whether the kernel tells the children of a task
// (CONFIG_PROC_CHILDREN).
func hasChildrenFiles() bool {
	pid := strconv.Itoa(os.Getpid())
	return unix.Access("/proc/self/task/"+pid+"/children", unix.R_OK) == nil
}

// walk looks at the descendants of this process, below those children that top
// accepts.
func walk(top func(proc) bool) map[int]proc {
	procs := map[int]proc{}
	self := os.Getpid()
	todo := childrenOf(self)
	for len(todo) > 0 {
		pid := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		p, ok := look(pid)
		if _, seen := procs[pid]; seen || !ok || p.ppid == self && !top(p) {
			continue
		}
		procs[pid] = p
		todo = append(todo, childrenOf(pid)...)
	}
	return procs
}

// childrenOf returns the children of all threads of a process.
func childrenOf(pid int) []int {
	dir := "/proc/" + strconv.Itoa(pid) + "/task/"
	var children []int
	for _, task := range names(dir) {
		for field := range strings.FieldsSeq(readProc(dir + task + "/children")) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// allProcs looks at every process of the system.
func allProcs() map[int]proc {
	procs := map[int]proc{}
	for _, name := range names("/proc") {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := look(pid); ok {
				procs[pid] = p
			}
		}
	}
	return procs
}

// look reads /proc/PID/stat; proc_pid_stat(5) numbers its fields from 1, the
// second is a name in brackets that may hold anything.
func look(pid int) (proc, bool) {
	text := readProc("/proc/" + strconv.Itoa(pid) + "/stat")
	i := strings.LastIndexByte(text, ')')
	if i < 0 {
		return proc{}, false
	}
	fields := strings.Fields(text[i+1:])
	if len(fields) < 20 {
		return proc{}, false
	}
	p := proc{pid: pid, state: fields[0][0]}
	var errs [3]error
	p.ppid, errs[0] = strconv.Atoi(fields[1])
	p.sid, errs[1] = strconv.Atoi(fields[3])
	p.start, errs[2] = strconv.ParseUint(fields[19], 10, 64)
	return p, errs == [3]error{}
}

func names(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	list, _ := f.Readdirnames(-1)
	return list
}

// readProc reads a small file of /proc without what package os does for files
// that may block; "" when it is not there (any more).
func readProc(path string) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var text []byte
	var buf [4096]byte
	for {
		n, err := unix.Read(fd, buf[:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return string(text)
		}
		text = append(text, buf[:n]...)
	}
}
