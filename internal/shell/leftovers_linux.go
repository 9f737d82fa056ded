package shell

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setMark notes in dir that a command with this tag runs, and returns the file
// that says so. A command without a mark runs as well, so failing is not an
// error of the command; "" then.
func setMark(dir string, tag uint64) string {
	if tag == 0 {
		return ""
	}
	path := filepath.Join(dir, strconv.FormatUint(tag, 10))
	create := func() error {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		return f.Close()
	}
	err := create()
	if errors.Is(err, fs.ErrNotExist) && os.MkdirAll(dir, 0o700) == nil {
		err = create()
	}
	if err != nil {
		return ""
	}
	return path
}

// EndLeftovers ends what is left of commands that were marked in dir (see
// [Command.Marks]) by a program that was killed before it could end them, and
// returns how many processes that were. It is to be called before the first
// command that is marked there, by a program that knows itself to be the only one
// that uses dir: a server, when it holds the lock on its data directory.
//
// A process is ended only if it carries the tag of such a command: a random
// number of 61 bits that is only inherited (in a Mix within a command of Mix a few
// bits less). Process ids play no part in it, and a signal goes through a handle
// to the process that was looked at. So nothing else can be hit, whatever was
// started, ended or renumbered since; marks that outlived a restart of the system
// hit nothing at all. When this process carries a tag itself, since it was started
// by a leftover, those who share it are left alone.
//
// Without leftovers it takes one look into dir. With them it takes as long as
// cancelling a command: SIGTERM, a quarter of a second later SIGKILL. An error
// says that marks could not be read, or that processes are left; their marks
// stay for the next time. It does nothing on systems without tags: on Windows
// commands end with the program, on macOS daemons that left the command's session
// stay.
func EndLeftovers(ctx context.Context, dir string) (ended int, err error) {
	tags, err := readMarks(dir)
	if err != nil {
		return 0, fmt.Errorf("end leftover commands: %w", err)
	}
	delete(tags, tagOf(os.Getpid()))
	if len(tags) == 0 {
		return 0, nil
	}
	l := leftovers{tags: tags, hit: map[leftover]bool{}}
	l.end(ctx)
	left := l.signal(0)
	if left > 0 {
		return max(0, len(l.hit)-left), fmt.Errorf("end leftover commands: %d processes could not be ended", left)
	}
	for tag := range tags {
		if err := os.Remove(filepath.Join(dir, strconv.FormatUint(tag, 10))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return len(l.hit), fmt.Errorf("end leftover commands: %w", err)
		}
	}
	return len(l.hit), nil
}

// readMarks returns the tags of the commands that are marked in dir.
func readMarks(dir string) (map[uint64]bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tags := make(map[uint64]bool, len(entries))
	for _, e := range entries {
		tag, err := strconv.ParseUint(e.Name(), 10, 64)
		if err == nil && tag >= leastTag && tag < mostTag {
			tags[tag] = true
		}
	}
	return tags, nil
}

// leftovers are the processes that carry one of some tags.
type leftovers struct {
	tags map[uint64]bool
	hit  map[leftover]bool // those that were signalled
}

type leftover struct {
	pid   int
	start uint64
}

// end asks, and then makes sure, as the end of a command does.
func (l *leftovers) end(ctx context.Context) {
	if l.signal(unix.SIGTERM) == 0 || l.settle(ctx, politeTime) {
		return
	}
	const round = 100 * time.Millisecond
	for range killTime / round {
		const stops = 20 // those in the middle of a fork need more than one
		for range stops {
			if l.signal(unix.SIGSTOP) == 0 {
				break
			}
		}
		l.signal(unix.SIGKILL)
		if l.settle(ctx, round) {
			return
		}
	}
}

// settle waits until nothing is left, for at most d or until ctx ends, and
// reports whether nothing is.
func (l *leftovers) settle(ctx context.Context, d time.Duration) bool {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	step := time.NewTicker(5 * settleStep)
	defer step.Stop()
	for {
		if l.signal(0) == 0 {
			return true
		}
		select {
		case <-step.C:
		case <-deadline.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// signal sends sig to all leftovers, the youngest first, and returns how many
// there were. Signal 0 is only a look; SIGSTOP goes to those that run, and only
// they count then.
func (l *leftovers) signal(sig syscall.Signal) int {
	n := 0
	list := names("/proc")
	slices.Reverse(list)
	for _, name := range list {
		pid, err := strconv.Atoi(name)
		if err == nil && pid != os.Getpid() && l.tags[tagOf(pid)] && l.hits(pid, sig) {
			n++
		}
	}
	return n
}

// hits sends sig to one process, if it is still a leftover once it is held by a
// handle, and reports whether it was.
func (l *leftovers) hits(pid int, sig syscall.Signal) bool {
	handle, err := os.FindProcess(pid) // on Linux 5.4 and later not just the number
	if err != nil {
		return false
	}
	defer func() { _ = handle.Release() }()
	p, ok := look(pid)
	if !ok || !l.tags[tagOf(pid)] || over(p) || sig == unix.SIGSTOP && !p.runs() {
		return false
	}
	if sig == 0 {
		return true
	}
	if err := handle.Signal(sig); errors.Is(err, os.ErrProcessDone) {
		return false
	}
	l.hit[leftover{p.pid, p.start}] = true
	return true
}

// over reports whether p is only waiting to be waited for. The first thread of a
// process looks the same when it has ended before the others.
func over(p proc) bool {
	return p.state == 'X' || p.state == 'Z' && len(names("/proc/"+strconv.Itoa(p.pid)+"/task")) <= 1
}
