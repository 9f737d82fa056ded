//go:build linux || darwin

package shell_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mixagent/mix/internal/shell"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line   string
		code   int
		signal string
	}{
		{"true", 0, ""},
		{"exit 3", 3, ""},
		{"no-such-program-anywhere", 127, ""},
		{"/etc/passwd", 126, ""},
		{"kill -KILL $$", 137, "SIGKILL"},
		{"kill -SEGV $$", 139, "SIGSEGV"},
		{"sh -c 'kill -TERM $$'; exit $?", 143, ""},
		{"", 0, ""},
		{"-x", 127, ""},
	} {
		res := run(t, t.Context(), test.line)
		if res.ExitCode != test.code || res.Signal != test.signal {
			t.Errorf("%q: code %d signal %q, want %d %q\n%s", test.line, res.ExitCode, res.Signal, test.code, test.signal, res.Output)
		}
		if res.End.Before(res.Start) || res.Cancelled || res.TimedOut || res.TooManyProcs {
			t.Errorf("%q: %+v", test.line, res)
		}
	}
}

func TestStandardInputIsEmpty(t *testing.T) {
	t.Parallel()
	res := run(t, t.Context(), "cat; read x; echo $?; head -c 1 | wc -c; readlink /dev/fd/0 || true")
	if !strings.HasPrefix(res.Output, "1\n") || res.ExitCode != 0 {
		t.Errorf("output %q, code %d", res.Output, res.ExitCode)
	}
}

func TestOutputsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	got := printed(t, "for i in 1 2 3; do echo out $i; echo err $i >&2; done")
	if want := "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestSessionOfItsOwn(t *testing.T) {
	t.Parallel()
	got := printed(t, `[ "$(ps -o sid= -p $$ 2>/dev/null | tr -d ' ')" = $$ ] && echo own; ls -l /dev/tty >/dev/null && (: </dev/tty) 2>/dev/null || echo no terminal`)
	if !strings.Contains(got, "no terminal") {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat("/bin/ps"); err == nil && !strings.Contains(got, "own") {
		t.Errorf("the shell leads no session: %q", got)
	}
}

func TestNoStartupFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rc := filepath.Join(dir, ".bashrc")
	for _, name := range []string{".bashrc", ".bash_profile", ".profile"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("echo startup file ran\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := printed(t, "echo only this", env("HOME="+dir, "BASH_ENV="+rc, "ENV="+rc)); got != "only this" {
		t.Errorf("got %q", got)
	}
}

func TestWorkingDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := printed(t, `pwd; echo "$PWD"`, func(c *shell.Command) { c.Dir = dir; c.Env = append(c.Env, "PWD=/elsewhere") })
	if got != dir+"\n"+dir {
		t.Errorf("got %q, want %s twice", got, dir)
	}
	for _, bad := range []string{filepath.Join(dir, "none"), file} {
		_, err := shell.Run(t.Context(), shell.Command{Line: "true", Dir: bad})
		if !errors.Is(err, shell.ErrDirectory) || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: error %v", bad, err)
		}
		if missing := errors.Is(err, fs.ErrNotExist); missing != (bad != file) {
			t.Errorf("%s: is ErrNotExist: %v", bad, missing)
		}
	}
}

func TestLinesThatCannotRun(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"echo a\x00b", "echo " + strings.Repeat("x", 200<<10)} {
		if _, err := shell.Run(t.Context(), shell.Command{Line: line}); !errors.Is(err, shell.ErrLine) {
			t.Errorf("%d bytes: error %v", len(line), err)
		}
	}
	long := "echo " + strings.Repeat("x", 100<<10) + " | wc -c"
	if got := printed(t, long); got != "102401" {
		t.Errorf("got %q", got)
	}
}

func TestEndedContextStartsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "ran")
	if _, err := shell.Run(ctx, shell.Command{Line: "touch " + file}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the command ran")
	}
}

func TestConfine(t *testing.T) {
	t.Parallel()
	refused := errors.New("no")
	file := filepath.Join(t.TempDir(), "ran")
	_, err := shell.Run(t.Context(), shell.Command{Line: "touch " + file, Confine: func() error { return refused }})
	if !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the command ran though it could not be confined")
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	res := run(t, t.Context(), "echo before; sleep 100; echo after", func(c *shell.Command) { c.Timeout = 100 * time.Millisecond })
	if !res.TimedOut || res.Cancelled || res.ExitCode != 143 || res.Signal != "SIGTERM" || res.Output != "before\n" {
		t.Errorf("%+v", res)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestCancelAsksBeforeItKills(t *testing.T) {
	t.Parallel()
	res := cancelled(t, `trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 0.01; done`)
	if !res.Cancelled || res.TimedOut || res.ExitCode != 7 || !strings.HasSuffix(res.Output, "asked\n") {
		t.Errorf("%+v", res)
	}
	res = cancelled(t, `trap '' TERM; echo ready; while :; do sleep 0.01; done`)
	if !res.Cancelled || res.ExitCode != 137 || res.Signal != "SIGKILL" {
		t.Errorf("%+v", res)
	}
}

// cancelled runs line until it has printed ready, and then cancels it.
func cancelled(t *testing.T, line string, change ...func(*shell.Command)) shell.Result {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen strings.Builder
	res := run(t, ctx, line, append(change, func(c *shell.Command) {
		c.Timeout = time.Minute // for the case that ready never comes
		c.OnOutput = func(chunk string) {
			seen.WriteString(chunk)
			if strings.Contains(seen.String(), "ready") {
				cancel()
			}
		}
	})...)
	if !strings.Contains(seen.String(), "ready") {
		t.Fatalf("the command was never ready: %+v", res)
	}
	return res
}
