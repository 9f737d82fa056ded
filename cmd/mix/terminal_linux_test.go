package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a command on a terminal of its own; only its standard output
// goes elsewhere.
type terminal struct {
	*proc
	keyboard *os.File // the other end of the terminal
	screen   *output
}

// onTerminal starts the program on a new terminal.
func onTerminal(t *testing.T, dir string, env []string, args ...string) *terminal {
	t.Helper()
	// Not blocking, so that Close ends a Read that waits.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		skipOrFail(t, "there are no terminals to open here: "+err.Error())
	}
	master := os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { master.Close() })
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		skipOrFail(t, "the new terminal cannot be opened: "+err.Error())
	}
	defer slave.Close()
	cmd := exec.Command(program(t), append([]string{"run", "--model", "openai/mock"}, args...)...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdin, cmd.Stderr = slave, slave
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	x := &terminal{proc: launchCommand(t, cmd), keyboard: master, screen: newOutput()}
	x.err = x.screen
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			_, _ = x.screen.Write(buf[:n])
			if err != nil {
				x.screen.end() // so has the program
				return
			}
		}
	}()
	return x
}

// press types keys.
func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := x.keyboard.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}
