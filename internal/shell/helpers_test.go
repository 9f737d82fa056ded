//go:build linux || darwin

package shell_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mixagent/mix/internal/shell"
)

// notParent in the environment keeps the test process from being the parent of
// orphans.
const notParent = "SHELL_TEST_NOT_PARENT"

// TestMain makes the test process what the server is: the parent of orphans. A
// janitor ends what it leaves, whatever happens to it.
func TestMain(m *testing.M) {
	if mode := os.Getenv(actMode); mode != "" {
		act(mode)
		return
	}
	// Before this process becomes a parent of orphans, so that the janitor is
	// none of its children.
	dismiss := startJanitor()
	if os.Getenv(notParent) == "" {
		if err := shell.Subreaper(); err != nil {
			panic(err)
		}
	}
	// Most of these tests wait for processes most of the time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	code := m.Run()
	if left := dismiss(); left != "" {
		fmt.Println("FAIL: the janitor found", left)
		code = 1
	}
	os.Exit(code)
}

// actMode in the environment makes the test binary another program: see act.
const actMode = "SHELL_TEST_ACT"

// act is one of four programs.
//
//   - "rows:N" prints N lines of 15 digits that count from 0.
//   - "run:MARKS" runs the command line that it reads, up to a NUL, and cancels
//     the command when its standard input ends. It is a server in short.
//   - "next:MARKS" ends leftovers and says how many.
//   - "janitor:DIR" waits until its standard input ends and then ends the
//     leftovers of all commands that are marked below DIR.
func act(mode string) {
	what, dir, _ := strings.Cut(mode, ":")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	in := bufio.NewReader(os.Stdin)
	switch what {
	case "rows":
		n, err := strconv.Atoi(dir)
		if err != nil {
			panic(err)
		}
		out := bufio.NewWriterSize(os.Stdout, 64<<10)
		row := []byte("000000000000000\n")
		for range n {
			if _, err := out.Write(row); err != nil {
				panic(err)
			}
			for i := 14; i >= 0; i-- {
				if row[i]++; row[i] <= '9' {
					break
				}
				row[i] = '0'
			}
		}
		if err := out.Flush(); err != nil {
			panic(err)
		}
	case "run":
		if err := shell.Subreaper(); err != nil {
			panic(err)
		}
		line, err := in.ReadString(0)
		if err != nil {
			panic(err)
		}
		go func() {
			defer cancel()
			_, _ = io.Copy(io.Discard, in)
		}()
		env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, actMode+"=") })
		res, err := shell.Run(ctx, shell.Command{
			Line: strings.TrimSuffix(line, "\x00"), Env: env, Marks: dir, OnOutput: func(chunk string) { fmt.Print(chunk) },
		})
		if err != nil || !res.Cancelled {
			panic(fmt.Sprintf("%+v, %v", res, err))
		}
	case "next":
		fmt.Println(shell.EndLeftovers(ctx, dir))
	case "janitor":
		if os.Getenv(janitorIsChild) == "" {
			// The child is handed on to init.
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), janitorIsChild+"=1")
			cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := cmd.Start(); err != nil {
				panic(err)
			}
			return
		}
		_, _ = io.Copy(io.Discard, in)
		marks, err := filepath.Glob(filepath.Join(dir, "*"))
		ended := 0
		for _, m := range marks {
			n, endErr := shell.EndLeftovers(ctx, m)
			ended += n
			err = errors.Join(err, endErr)
		}
		if err = errors.Join(err, os.RemoveAll(dir)); err != nil || ended > 0 {
			fmt.Println(ended, "processes left behind,", err) // the last act, since nobody may be there to read it
		}
	}
}

const janitorIsChild = "SHELL_TEST_JANITOR_IS_CHILD"

// marksBelow in the environment names the directory that the janitor watches.
const marksBelow = "SHELL_TEST_MARKS"

// startJanitor starts a process that outlives this one. Dismiss ends it and
// returns what it had to do. It does nothing where commands carry no tags.
func startJanitor() (dismiss func() string) {
	dir, err := os.MkdirTemp("", "shell-test-marks-")
	if err != nil {
		panic(err)
	}
	if err := os.Setenv(marksBelow, dir); err != nil {
		panic(err)
	}
	said, report, err := os.Pipe() // what this process's own output waits for must not be the janitor's
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), actMode+"=janitor:"+dir)
	cmd.Stdout = report
	in, hold, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	cmd.Stdin = in
	if err := cmd.Run(); err != nil {
		panic(err)
	}
	_, _ = report.Close(), in.Close()
	return func() string {
		_ = hold.Close()
		text, err := io.ReadAll(said)
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
}

// run runs line in an empty directory with the environment commands get.
func run(t testing.TB, ctx context.Context, line string, change ...func(*shell.Command)) shell.Result {
	t.Helper()
	c := shell.Command{Line: line, Dir: t.TempDir(), Env: shell.Environ(os.Environ(), nil), Marks: filepath.Join(os.Getenv(marksBelow), "all")}
	for _, f := range change {
		f(&c)
	}
	res, err := shell.Run(ctx, c)
	if err != nil {
		t.Fatalf("Run(%q): %v", line, err)
	}
	return res
}

// printed is the output of line, which must succeed.
func printed(t *testing.T, line string, change ...func(*shell.Command)) string {
	t.Helper()
	res := run(t, t.Context(), line, change...)
	if res.ExitCode != 0 {
		t.Fatalf("%q ended with %d:\n%s", line, res.ExitCode, res.Output)
	}
	return strings.TrimSpace(res.Output)
}

func env(kv ...string) func(*shell.Command) {
	return func(c *shell.Command) { c.Env = append(c.Env, kv...) }
}
