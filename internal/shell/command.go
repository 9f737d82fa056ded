package shell

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Defaults and limits of a Command.
const (
	DefaultPreview  = 30_000 // characters of Result.Output
	MinPreview      = 200    // smaller previews could not hold the line that says what was cut
	DefaultMaxProcs = 512    // processes of one command at the same time

	// maxLine is the longest single argument that Linux takes (MAX_ARG_STRLEN,
	// 32 pages, less the closing NUL).
	maxLine = 128<<10 - 1
)

// Errors of Run that a caller may decide on.
var (
	ErrDirectory = errors.New("working directory cannot be used")
	ErrNoShell   = errors.New("no POSIX shell found")
	ErrLine      = errors.New("command line cannot be run")
)

// Command is one line for the shell and the terms it runs under.
type Command struct {
	// Line is given to `bash -c`, or `sh -c` where there is no /bin/bash. No
	// profile or rc file is read. At most 131,071 bytes, no NUL.
	Line string
	// Dir is the working directory; it must exist. Empty is the current one.
	Dir string
	// Env is the whole environment; see Environ. BASH_ENV and ENV are taken out
	// in any case; PWD is set to Dir.
	Env []string
	// Timeout ends the command like cancelling does; 0 is no limit.
	Timeout time.Duration
	// SpoolDir is where output beyond the preview goes. It is made (0700) when
	// first needed; files in it are 0600. Empty keeps nothing but the preview.
	SpoolDir string
	// Preview is the most characters that Result.Output holds, the line that
	// says what was cut included. 0 is DefaultPreview; less than MinPreview is
	// raised to it.
	Preview int
	// OnOutput gets the output while the command runs: valid UTF-8 without NULs,
	// otherwise as printed, escape sequences too; up to 4 KiB at most every 100 ms,
	// preceded by a line that says how much was skipped when the command printed
	// more than that. Calls do not overlap and none comes after Run has returned.
	// It should not block: output is skipped while it does, and Run waits for the
	// last call.
	OnOutput func(chunk string)
	// MaxProcs is the most processes that the command may have at one time; with
	// more it is killed. 0 is DefaultMaxProcs, negative is no limit.
	MaxProcs int
	// Marks is a directory in which a file says that the command runs, for
	// [EndLeftovers] to end what is left of it should this program be killed. It
	// is made (0700) when first needed and must belong to one program at a time.
	// Empty keeps no mark, and a mark that cannot be made keeps no command from
	// running.
	Marks string
	// Confine is called on the operating system thread that is about to start
	// the command; an error keeps the command from starting. On Linux that
	// thread serves nothing else and ends with the command, so what Confine does
	// to its thread (Landlock, no_new_privs) holds for the command alone. It is
	// called on other systems too, where it can confine nothing.
	Confine func() error
}

// Result is what became of a command that could be started.
type Result struct {
	// Output is standard output and standard error together as valid UTF-8; each
	// invalid byte and each NUL has become U+FFFD. Escape sequences are in it.
	// Head and tail when cut.
	Output string
	// ExitCode is the shell's: 127 for a command not found, 128 plus the number
	// of the signal that ended the shell, -1 when it could not be learned.
	ExitCode int
	// Signal names the signal that ended the shell ("SIGKILL"), else "".
	Signal string
	// TimedOut, Cancelled and TooManyProcs say why Run ended the command. At most
	// one is set; none when the shell ended by itself.
	TimedOut     bool
	Cancelled    bool
	TooManyProcs bool
	Start, End   time.Time
	// TotalBytes is how much the command printed; CutChars how many characters
	// of it are not in Output.
	TotalBytes int64
	CutChars   int64
	// SpoolPath is the file with the uncut output; "" when nothing was cut or
	// nothing could be kept. SpoolErr says why output could not be kept.
	SpoolPath string
	SpoolErr  error
	// Killed counts the processes, without the shell, that had to be signalled
	// for the command to be over; Survivors those that even SIGKILL did not end
	// in time (another user's, or stuck in the kernel).
	Killed    int
	Survivors int
}

// check reports why c cannot be run, in words for the person or model that
// asked for it.
func (c *Command) check() error {
	if strings.IndexByte(c.Line, 0) >= 0 {
		return fmt.Errorf("%w: it holds a NUL character", ErrLine)
	}
	if len(c.Line) > maxLine {
		return fmt.Errorf("%w: it has %d bytes, the system takes at most %d; write it to a file and run that", ErrLine, len(c.Line), maxLine)
	}
	if c.Dir == "" {
		return nil
	}
	switch info, err := os.Stat(c.Dir); {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: %s does not exist: %w", ErrDirectory, c.Dir, os.ErrNotExist)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDirectory, err)
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory", ErrDirectory, c.Dir)
	}
	return nil
}

func (c *Command) preview() int {
	if c.Preview == 0 {
		return DefaultPreview
	}
	return max(c.Preview, MinPreview)
}

func (c *Command) maxProcs() int {
	if c.MaxProcs == 0 {
		return DefaultMaxProcs
	}
	return c.MaxProcs
}

// environ is the environment the shell really gets: the last value of each
// name, without the two that name a file for the shell to run at its start.
func (c *Command) environ() []string {
	env := append([]string{}, c.Env...)
	if c.Dir != "" {
		env = append(env, "PWD="+c.Dir)
	}
	last := make(map[string]int, len(env))
	for i, kv := range env {
		last[envName(kv)] = i
	}
	out := env[:0]
	for i, kv := range env {
		name := envName(kv)
		if last[name] != i || name == "BASH_ENV" || name == "ENV" || strings.IndexByte(kv, 0) >= 0 {
			continue
		}
		out = append(out, kv)
	}
	return out
}
