package shell_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mixagent/mix/internal/shell"
)

// TestLeftoversOfAKilledServerEnd kills a program that runs a command, which
// leaves the command's daemons, and looks that they are ended, and nobody else.
func TestLeftoversOfAKilledServerEnd(t *testing.T) {
	t.Parallel()
	for name, escape := range map[string]string{
		"daemons":   `setsid %s 300 & (%[1]s 300 &) ; env -i /usr/bin/setsid /bin/sh -c '%[1]s 300 </dev/null >/dev/null 2>&1 & exit 0'`,
		"deaf":      `(trap "" TERM HUP INT; setsid %s 300) &`,
		"stopped":   `setsid sh -c '%s 300 & kill -STOP $$' &`,
		"many":      `for i in 1 2 3 4 5 6 7 8 9; do setsid %s 300 & done`,
		"restarted": `setsid sh -c 'trap "" TERM; while :; do %s 300; done' &`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marks, others := newMarks(t), newMarks(t)
			program, bystander := namedSleep(t), namedSleep(t)
			dead := startServer(t, marks, program, escape)
			startServer(t, others, bystander, `setsid %s 300 &`)
			dead.kill(t)
			was := running(t, program)
			if len(was) == 0 {
				t.Fatal("nothing outlived the program, so this test shows nothing")
			}
			ended, err := shell.EndLeftovers(t.Context(), marks)
			if err != nil || ended < len(was) {
				t.Errorf("%d ended, %v; there were %v", ended, err, was)
			}
			if left := running(t, program); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if left, err := os.ReadDir(marks); err != nil || len(left) > 0 {
				t.Errorf("marks %v, %v", left, err)
			}
			if again, err := shell.EndLeftovers(t.Context(), marks); again != 0 || err != nil {
				t.Errorf("a second time %d, %v", again, err)
			}
			if left := running(t, bystander); len(left) == 0 {
				t.Error("the daemon of another program was ended")
			}
		})
	}
}

// TestMarksEndWithTheirCommands: only while a command runs there is a mark.
func TestMarksEndWithTheirCommands(t *testing.T) {
	t.Parallel()
	marks := filepath.Join(t.TempDir(), "deep", "marks")
	marked := func(c *shell.Command) { c.Marks = marks }
	if n := printed(t, "ls "+marks+" | wc -l", marked); n != "1" {
		t.Errorf("%s marks while one command runs", n)
	}
	run(t, t.Context(), "setsid sleep 300 & exit 3", marked)
	if left, err := os.ReadDir(marks); err != nil || len(left) > 0 {
		t.Errorf("marks %v, %v", left, err)
	}
	if info, err := os.Stat(marks); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := printed(t, "echo runs", func(c *shell.Command) { c.Marks = filepath.Join(file, "marks") }); got != "runs" {
		t.Errorf("%q", got)
	}
	if _, err := shell.EndLeftovers(t.Context(), filepath.Join(file, "marks")); err == nil {
		t.Error("no error for marks that cannot be read")
	}
	if ended, err := shell.EndLeftovers(t.Context(), filepath.Join(marks, "absent")); ended != 0 || err != nil {
		t.Errorf("%d, %v", ended, err)
	}
}

// TestConfinedCommandsAreMarked: what is forbidden to the command is not forbidden
// to us.
func TestConfinedCommandsAreMarked(t *testing.T) {
	t.Parallel()
	marks := newMarks(t)
	noFiles := func() error {
		attr := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_REG}
		fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr.Handled_access_fs), 0)
		if errno != 0 {
			return errno
		}
		defer unix.Close(int(fd))
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
			return errno
		}
		return nil
	}
	res, err := shell.Run(t.Context(), shell.Command{
		Line: "ls " + marks + " | wc -l; touch file || echo refused", Dir: t.TempDir(), Env: os.Environ(), Marks: marks, Confine: noFiles,
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("this kernel has no Landlock")
	}
	if err != nil || !strings.HasPrefix(res.Output, "1\n") || !strings.HasSuffix(res.Output, "refused\n") {
		t.Errorf("%q, %v", res.Output, err)
	}
}

// TestMarksOfNobodyEndNobody: neither old marks nor other files in the directory
// lead to a process, least of all the numbers that ordinary processes have.
func TestMarksOfNobodyEndNobody(t *testing.T) {
	t.Parallel()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_LOCKS, &limit); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const old = "3000000000000000000"
	other := []string{"0", "1", "-1", strconv.Itoa(os.Getpid()), "4096", "x", "18446744073709551615", strconv.FormatUint(limit.Max, 10)}
	for _, name := range append(other, old) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bystander := exec.Command("cat") // which waits for input, and ends when there is nobody who could give it some
	in, err := bystander.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	if ended, err := shell.EndLeftovers(t.Context(), dir); ended != 0 || err != nil {
		t.Errorf("%d, %v", ended, err)
	}
	if _, err := os.Stat(filepath.Join(dir, old)); err == nil {
		t.Error("the old mark is still there")
	}
	for _, name := range other {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(in.Close(), bystander.Wait()); err != nil {
		t.Errorf("a process without a tag was ended: %v", err)
	}
}

// TestLeftoverThatIsTheNextServer: a command kills its server and starts the
// next, which carries the tag and must not end itself.
func TestLeftoverThatIsTheNextServer(t *testing.T) {
	t.Parallel()
	dir, marks := t.TempDir(), newMarks(t)
	said := filepath.Join(dir, "said")
	s := startServer(t, marks, namedSleep(t),
		`setsid sh -c 'until [ -e `+dir+`/go ]; do sleep 0.01; done; `+actMode+`=next:`+marks+` `+os.Args[0]+` >`+said+`.new; mv `+said+`.new `+said+`; sleep 300' & %s 300 &`)
	s.kill(t)
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the next server has looked", func() bool { _, err := os.Stat(said); return err == nil })
	if text, err := os.ReadFile(said); err != nil || string(text) != "0 <nil>\n" {
		t.Errorf("%q, %v", text, err)
	}
	if ended, err := shell.EndLeftovers(t.Context(), marks); ended == 0 || err != nil {
		t.Errorf("a server from outside ended %d, %v", ended, err)
	}
}

// newMarks is a directory for marks that the janitor watches.
func newMarks(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(os.Getenv(marksBelow), "")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// server is another process that runs a command.
type server struct {
	cmd   *exec.Cmd
	input io.Closer // its end cancels the command
}

// startServer lets another process run escape, and returns when the program that
// is named in it runs.
func startServer(t *testing.T, marks, program, escape string) server {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), actMode+"=run:"+marks)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := server{cmd, in}
	t.Cleanup(func() {
		_ = s.input.Close()
		if cmd.ProcessState == nil {
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		}
	})
	line := fmt.Sprintf(escape, program) + "\nuntil [ -e " + program + ".runs ]; do sleep 0.01; done; echo ready; sleep 300\x00"
	if _, err := io.WriteString(in, line); err != nil {
		t.Fatal(err)
	}
	if text, err := bufio.NewReader(out).ReadString('\n'); text != "ready\n" {
		t.Fatalf("%q, %v", text, err)
	}
	return s
}

// kill is what a server cannot prepare for.
func (s server) kill(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = s.cmd.Wait() // it says that it was killed
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("after a minute not yet: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
