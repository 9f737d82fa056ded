package shell

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// group is a job object: its processes cannot leave it, and it ends them when
// the last handle to it is closed, so also when this program dies.
type group struct {
	job    windows.Handle
	killed int
}

// lockThread does nothing: no state of a thread is handed to the command.
func lockThread(bool) (release func()) { return func() {} }

// startGroup starts the shell suspended, puts it into a job and lets it run.
func startGroup(path string, argv []string, attr *os.ProcAttr, c *Command) (*os.Process, *group, error) {
	g, err := newGroup(c.maxProcs())
	if err != nil {
		return nil, nil, err
	}
	attr.Sys = &syscall.SysProcAttr{
		HideWindow:    true,
		CreationFlags: windows.CREATE_SUSPENDED | windows.CREATE_NEW_PROCESS_GROUP,
	}
	p, err := os.StartProcess(path, argv, attr)
	if err != nil {
		g.close(true)
		return nil, nil, err
	}
	if err := g.take(p.Pid); err != nil {
		err = errors.Join(fmt.Errorf("put it into a job: %w", err), p.Kill())
		_, _ = p.Wait()
		g.close(true)
		return nil, nil, err
	}
	return p, g, nil
}

func newGroup(maxProcs int) (*group, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("create job: %w", err)
	}
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	if maxProcs > 0 {
		// One more than allowed, so that the one too many is seen.
		info.BasicLimitInformation.LimitFlags |= windows.JOB_OBJECT_LIMIT_ACTIVE_PROCESS
		info.BasicLimitInformation.ActiveProcessLimit = uint32(maxProcs) + 1
	}
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil {
		return nil, errors.Join(fmt.Errorf("limit job: %w", err), windows.CloseHandle(job))
	}
	return &group{job: job}, nil
}

// take assigns the suspended process to the job and resumes it.
func (g *group) take(pid int) error {
	const suspendResume = 0x0800 // PROCESS_SUSPEND_RESUME
	h, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE|suspendResume, false, uint32(pid))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	if err := windows.AssignProcessToJobObject(g.job, h); err != nil {
		return err
	}
	resume := windows.NewLazySystemDLL("ntdll.dll").NewProc("NtResumeProcess")
	if err := resume.Find(); err != nil {
		return err
	}
	if status, _, _ := resume.Call(uintptr(h)); status != 0 {
		return windows.NTStatus(status)
	}
	return nil
}

// basicAccounting is JOBOBJECT_BASIC_ACCOUNTING_INFORMATION.
type basicAccounting struct {
	times                 [4]int64
	pageFaults, processes uint32
	active, terminated    uint32
}

// count is how many processes run in the job.
func (g *group) count() int {
	var info basicAccounting
	if err := windows.QueryInformationJobObject(g.job, windows.JobObjectBasicAccountingInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), nil); err != nil {
		return 0
	}
	return int(info.active)
}

// left is the same as count: it is used when the shell has ended.
func (g *group) left() int { return g.count() }

// terminate asks nobody: console programs in other sessions cannot be asked.
func (g *group) terminate(bool) {}

func (g *group) kill() {
	g.killed += g.count()
	_ = windows.TerminateJobObject(g.job, 137)
}

func (g *group) signalled() int { return g.killed }

func (g *group) close(bool) { _ = windows.CloseHandle(g.job) }

func exitStatus(s *os.ProcessState) (code int, signal string) { return s.ExitCode(), "" }

// shellArgs finds the bash of Git for Windows, or another bash that is not the
// launcher of the Linux subsystem, which would run the line in another system.
func shellArgs(line string) (path string, argv []string, err error) {
	var places []string
	for _, name := range []string{"ProgramFiles", "ProgramFiles(x86)", "LocalAppData"} {
		if dir := os.Getenv(name); dir != "" {
			places = append(places, filepath.Join(dir, "Git", "bin", "bash.exe"),
				filepath.Join(dir, "Programs", "Git", "bin", "bash.exe"))
		}
	}
	if p, err := exec.LookPath("bash.exe"); err == nil && !strings.Contains(strings.ToLower(p), `\system32\`) {
		places = append(places, p)
	}
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return p, []string{"bash", "-c", "--", line}, nil
		}
	}
	return "", nil, fmt.Errorf("%w: install Git for Windows, which brings bash", ErrNoShell)
}
