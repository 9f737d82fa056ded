package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tracer runs a program under ptrace, counts its write and sync calls, and
// kills it at the entry of the one with a given number.
//
// Besides, it keeps what a power cut would leave: a file of the data directory
// as it was when the program last synced it, and nothing of a file that was
// never synced.
type tracer struct {
	killAt  int    // number of the call to kill at, from 1; 0: never
	dataDir string // files below it are kept in shadow
	shadow  string

	calls    int      // write and sync calls so far
	log      []string // what they were
	acked    int      // answers with status 202 whose write began
	entering map[int]bool
	pending  map[int]string // a sync under way, by thread: the file's path
}

// run starts cmd and returns when it has ended. It has to be called from a
// goroutine of its own.
func (tr *tracer) run(cmd *exec.Cmd, started chan<- error) error {
	runtime.LockOSThread() // a tracer is one thread; never unlocked: the thread ends with the goroutine
	tr.entering, tr.pending = map[int]bool{}, map[int]string{}
	cmd.SysProcAttr = &unix.SysProcAttr{Ptrace: true, Setpgid: true, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		started <- err
		return err
	}
	pid := cmd.Process.Pid
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, unix.WALL, nil); err != nil {
		started <- err
		return err
	}
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(pid, options); err != nil {
		started <- err
		return err
	}
	started <- nil
	if err := unix.PtraceSyscall(pid, 0); err != nil {
		return err
	}
	return tr.loop(pid)
}

// loop handles stops until the program has ended. Waiting for its process group
// keeps it from taking the children of other tests: this thread may have started
// some before it became a tracer.
func (tr *tracer) loop(pid int) error {
	for {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-pid, &ws, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			return nil
		case err != nil:
			return err
		}
		if ws.Exited() || ws.Signaled() {
			if tid == pid {
				return nil
			}
			continue
		}
		signal := 0
		switch {
		case !ws.Stopped():
			continue
		case ws.StopSignal() == unix.SIGTRAP|0x80:
			if tr.syscallStop(tid) {
				_ = unix.Kill(pid, unix.SIGKILL)
				continue
			}
		case ws.StopSignal() == unix.SIGTRAP || ws.StopSignal() == unix.SIGSTOP:
		default:
			signal = int(ws.StopSignal())
		}
		if err := unix.PtraceSyscall(tid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
}

// syscallStop is called at the entry and at the exit of each system call; it
// reports whether to kill.
func (tr *tracer) syscallStop(tid int) bool {
	tr.entering[tid] = !tr.entering[tid]
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return false
	}
	if !tr.entering[tid] {
		if path := tr.pending[tid]; path != "" && int64(regs.Rax) == 0 {
			tr.keep(path)
		}
		delete(tr.pending, tid)
		return false
	}
	name := map[uint64]string{
		unix.SYS_WRITE: "write", unix.SYS_PWRITE64: "pwrite64", unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fdatasync",
	}[regs.Orig_rax]
	if name == "" {
		return false
	}
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, regs.Rdi))
	if strings.HasPrefix(path, "anon_inode:") || strings.HasPrefix(path, "pipe:") {
		return false // the runtime waking itself
	}
	tr.calls++
	tr.log = append(tr.log, fmt.Sprintf("%s %s %d", name, path, regs.Rdx))
	if tr.calls == tr.killAt {
		return true
	}
	switch {
	case name == "fsync" || name == "fdatasync":
		tr.pending[tid] = path
	case name == "write" && strings.HasPrefix(path, "socket:"):
		head := make([]byte, min(int(regs.Rdx), 12))
		if _, err := unix.PtracePeekData(tid, uintptr(regs.Rsi), head); err == nil && bytes.Equal(head, []byte("HTTP/1.1 202")) {
			tr.acked++
		}
	}
	return false
}

// keep copies a file that was just synced.
func (tr *tracer) keep(path string) {
	rel, err := filepath.Rel(tr.dataDir, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return // a directory, or gone
	}
	// A sync of a file that grew takes along what happened to names before it,
	// on every journaling file system.
	entries, _ := os.ReadDir(tr.shadow)
	for _, e := range entries {
		if _, err := os.Lstat(filepath.Join(tr.dataDir, e.Name())); os.IsNotExist(err) {
			_ = os.RemoveAll(filepath.Join(tr.shadow, e.Name()))
		}
	}
	target := filepath.Join(tr.shadow, rel)
	_ = os.MkdirAll(filepath.Dir(target), 0o700)
	_ = os.WriteFile(target, data, 0o600)
}

// canTrace says why a test with a tracer cannot run, "" where it can.
func canTrace(t *testing.T) string {
	t.Helper()
	tr := &tracer{}
	done, started := make(chan error, 1), make(chan error, 1)
	go func() { done <- tr.run(exec.Command("/bin/true"), started) }()
	if err := <-started; err != nil {
		return "ptrace is not allowed here: " + err.Error()
	}
	if err := <-done; err != nil {
		return "ptrace does not work here: " + err.Error()
	}
	return ""
}
