//go:build unix

package main_test

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mix "github.com/mixagent/mix/sdk"
)

// slowWords is a model that says many words, one after another.
func slowWords(n int) func(conversation) reply {
	return func(conv conversation) reply {
		if strings.HasSuffix(conv.Prompt, "Again") {
			return reply{Pieces: []string{"Here I am."}}
		}
		r := reply{Pause: 10 * time.Millisecond}
		for i := range n {
			r.Pieces = append(r.Pieces, fmt.Sprintf("word%d ", i))
		}
		return r
	}
}

// checkWords fails unless text is the beginning of what slowWords says, each
// word once and in order.
func checkWords(t *testing.T, text string) {
	t.Helper()
	words := strings.Fields(text)
	for i, w := range words {
		if w != fmt.Sprintf("word%d", i) {
			t.Fatalf("word %d is %s:\n%s", i, w, text)
		}
	}
	if len(words) < 5 {
		t.Errorf("only %d words: %q", len(words), text)
	}
}

const interruptedSentence = "was stopped while it worked on this message; what was done so far is kept"

// TestRunOutlivesItsServer: the server of a run is killed. The run takes the
// lock, recovers, and says how it ended; nothing that was shown comes again.
func TestRunOutlivesItsServer(t *testing.T) {
	t.Parallel()
	for _, successor := range []bool{false, true} {
		t.Run(map[bool]string{false: "takes over", true: "finds the next server"}[successor], func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, slowWords(2000))
			dir, data, env := t.TempDir(), t.TempDir(), cleanEnv(t.TempDir(), v.env()...)
			first := startServer(t, dir, data, env)
			r := launch(t, dir, env, "run", "--data-dir", data, "--model", "openai/mock", "Talk")
			r.out.waitFor(t, "word9 ", 1)
			if successor {
				signalTo(t, r, syscall.SIGSTOP) // it must not be quicker
			}
			first.kill()
			if successor {
				next := startServer(t, dir, data, env)
				signalTo(t, r, syscall.SIGCONT)
				defer next.stop(t)
			}
			if code := r.wait(); code != 130 {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(r.err.String(), interruptedSentence) || !strings.Contains(r.err.String(), "The server went away") {
				t.Error(r.err.String())
			}
			checkWords(t, r.out.String())
			// What was acknowledged is there, and the next message just works.
			code, stdout, stderr := run(t, dir, env, "run", "--data-dir", data, "-c", "Again")
			if code != 0 || stdout != "Here I am.\n" || len(v.trouble()) > 0 {
				t.Errorf("exit code %d\n%s\n%s\n%v", code, stdout, stderr, v.trouble())
			}
		})
	}
}

func signalTo(t *testing.T, p *proc, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// gate holds the answers to prompts until they are let through.
type gate map[string]chan struct{}

func newGate(names ...string) gate {
	g := gate{}
	for _, n := range names {
		g[n] = make(chan struct{})
	}
	return g
}

func (g gate) answer(conv conversation) reply {
	for name, open := range g {
		if strings.HasSuffix(conv.Prompt, name) {
			<-open
			return reply{Pieces: []string{"answer to " + name}}
		}
	}
	return reply{Pieces: []string{"who?"}}
}

// two starts two runs on one data directory: the first embeds the server, the
// second attaches to it.
func two(t *testing.T, g gate, names ...string) (first, second *proc) {
	t.Helper()
	v := newVendor(t, g.answer)
	dir, data, env := t.TempDir(), t.TempDir(), cleanEnv(t.TempDir(), v.env()...)
	var list []*proc
	for i, name := range names {
		p := launch(t, dir, env, "run", "--data-dir", data, "--model", "openai/mock", "-v", name)
		v.waitForRequests(t, i+1)
		list = append(list, p)
	}
	return list[0], list[1]
}

// TestTwoRuns: the first to come stays until the other's run is done.
func TestTwoRuns(t *testing.T) {
	t.Parallel()
	g := newGate("alpha", "beta")
	first, second := two(t, g, "alpha", "beta")
	close(g["alpha"])
	first.err.waitFor(t, "Work for other clients goes on in this process (1 under way)", 1)
	first.out.waitFor(t, "answer to alpha", 1)
	if !first.running() || !second.running() {
		t.Errorf("%s\n%s", first.out, first.err)
	}
	close(g["beta"])
	if code := second.wait(); code != 0 || second.out.String() != "answer to beta\n" {
		t.Errorf("the second: exit code %d\n%s\n%s", code, second.out, second.err)
	}
	if code := first.wait(); code != 0 || first.out.String() != "answer to alpha\n" {
		t.Errorf("the first: exit code %d\n%s\n%s", code, first.out, first.err)
	}
	if strings.Contains(second.err.String(), "msg=listening") {
		t.Error("the second had a server of its own")
	}
}

// TestTwoRunsTheSecondFirst: the one that attached ends when it is done.
func TestTwoRunsTheSecondFirst(t *testing.T) {
	t.Parallel()
	g := newGate("alpha", "beta")
	first, second := two(t, g, "alpha", "beta")
	close(g["beta"])
	if code := second.wait(); code != 0 || !first.running() {
		t.Errorf("exit code %d\n%s", code, second.err)
	}
	close(g["alpha"])
	if code := first.wait(); code != 0 {
		t.Errorf("exit code %d\n%s", code, first.err)
	}
}

// TestInterruptWhileItStays: ctrl-c ends the work of the others cleanly.
func TestInterruptWhileItStays(t *testing.T) {
	t.Parallel()
	g := newGate("alpha", "beta")
	first, second := two(t, g, "alpha", "beta")
	defer close(g["beta"])
	close(g["alpha"])
	first.err.waitFor(t, "Work for other clients", 1)
	signalTo(t, first, syscall.SIGINT)
	if code := first.wait(); code != 0 {
		t.Errorf("exit code %d\n%s", code, first.err)
	}
	if code := second.wait(); code != 130 || !strings.Contains(second.err.String(), interruptedSentence) {
		t.Errorf("exit code %d\n%s", code, second.err)
	}
}

// TestInterrupts: one signal cancels the run cleanly, whatever its name.
func TestInterrupts(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		for _, attached := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v attached=%v", sig, attached), func(t *testing.T) {
				t.Parallel()
				v := newVendor(t, slowWords(2000))
				dir, data, env := t.TempDir(), t.TempDir(), cleanEnv(t.TempDir(), v.env()...)
				if attached {
					s := startServer(t, dir, data, env)
					defer s.stop(t)
				}
				r := launch(t, dir, env, "run", "--data-dir", data, "--model", "openai/mock", "Talk")
				r.out.waitFor(t, "word5 ", 1)
				signalTo(t, r, sig)
				if code := r.wait(); code != 130 || !strings.Contains(r.err.String(), "Stopping…") {
					t.Errorf("exit code %d\n%s", code, r.err)
				}
				checkWords(t, r.out.String())
				_, stdout, _ := run(t, dir, env, "sessions", "list", "--data-dir", data, "--format", "json")
				if !strings.Contains(stdout, `"userMessageCount": 1`) {
					t.Error(stdout)
				}
			})
		}
	}
}

// TestSecondInterruptLeaves: with a server that does not answer, the second
// signal ends the command.
func TestSecondInterruptLeaves(t *testing.T) {
	t.Parallel()
	v := newVendor(t, slowWords(2000))
	dir, data, env := t.TempDir(), t.TempDir(), cleanEnv(t.TempDir(), v.env()...)
	s := startServer(t, dir, data, env)
	r := launch(t, dir, env, "run", "--data-dir", data, "--model", "openai/mock", "Talk")
	r.out.waitFor(t, "word5 ", 1)
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	signalTo(t, r, syscall.SIGINT)
	r.err.waitFor(t, "Stopping…", 1)
	if !r.running() {
		t.Error("it did not wait for the server")
	}
	signalTo(t, r, syscall.SIGINT)
	if code := r.wait(); code != 130 {
		t.Errorf("exit code %d\n%s", code, r.err)
	}
}

// TestIgnoredSignals: started with nohup, or in the background of a script, a
// run outlives the terminal.
func TestIgnoredSignals(t *testing.T) {
	t.Parallel()
	v := newVendor(t, slowWords(30))
	cmd := exec.Command("/bin/sh", "-c", `trap "" HUP INT; exec "$@"`, "sh", program(t), "run", "--model", "openai/mock", "Talk")
	cmd.Dir, cmd.Env = t.TempDir(), cleanEnv(t.TempDir(), v.env()...)
	r := launchCommand(t, cmd)
	r.out.waitFor(t, "word5 ", 1)
	signalTo(t, r, syscall.SIGHUP)
	signalTo(t, r, syscall.SIGINT)
	if code := r.wait(); code != 0 || !strings.Contains(r.out.String(), "word29") {
		t.Errorf("exit code %d\n%s\n%s", code, r.out, r.err)
	}
}

// TestBrokenPipe: `mix run … | head -1` ends, and leaves nothing to recover.
func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	v := newVendor(t, func(conversation) reply {
		r := reply{Pause: 5 * time.Millisecond}
		for range 2000 {
			r.Pieces = append(r.Pieces, "a line\n")
		}
		return r
	})
	dir, data, env := t.TempDir(), filepath.Join(t.TempDir(), "data"), cleanEnv(t.TempDir(), v.env()...)
	cmd := exec.Command("/bin/sh", "-c", `{ "$@"; echo "code $?" >&2; } | head -1`, "sh", program(t), "run", "--data-dir", data, "--model", "openai/mock", "Talk")
	cmd.Dir, cmd.Env = dir, env
	r := launchCommand(t, cmd)
	r.wait()
	if r.out.String() != "a line\n" || !strings.Contains(r.err.String(), "Nobody reads the output any more") || !strings.HasSuffix(r.err.String(), "code 130\n") {
		t.Errorf("%s\n%s", r.out, r.err)
	}
	if _, stdout, stderr := run(t, dir, env, "run", "--data-dir", data, "--model", "demo/echo", "-v", "next"); stdout != "next\n" || strings.Contains(stderr, "interrupted") {
		t.Errorf("%s\n%s", stdout, stderr)
	}
}

// stopServerOf stops a server that the test did not start itself.
func stopServerOf(t testing.TB, dataDir string) {
	t.Helper()
	if err := syscall.Kill(readLock(t, dataDir).PID, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// TestServerWithoutReaders: a server whose standard output and error nobody
// reads goes on.
func TestServerWithoutReaders(t *testing.T) {
	t.Parallel()
	dir, data, env := t.TempDir(), t.TempDir(), cleanEnv(t.TempDir())
	cmd := exec.Command("/bin/sh", "-c", `"$@" 2>&1 | head -1`, "sh", program(t), "serve", "--port", "0", "--data-dir", data, "--model", "demo/echo")
	cmd.Dir, cmd.Env = dir, env
	r := launchCommand(t, cmd)
	defer stopServerOf(t, data)
	r.out.waitFor(t, "\n", 1)
	for range 3 {
		if code, stdout, stderr := run(t, dir, env, "run", "--data-dir", data, "-v", "hello"); code != 0 || stdout != "hello\n" || strings.Contains(stderr, "listening") {
			t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
		}
	}
}

// TestClosedOutput: standard output and error that are closed from the start
// do not become other files.
func TestClosedOutput(t *testing.T) {
	t.Parallel()
	dir, data, env := t.TempDir(), t.TempDir(), cleanEnv(t.TempDir())
	for _, redirection := range []string{">&-", "2>&-", "<&-", "<&- >&- 2>&-"} {
		cmd := exec.Command("/bin/sh", "-c", `"$@" `+redirection, "sh", program(t), "run", "--data-dir", data, "--model", "demo/echo", "hello")
		cmd.Dir, cmd.Env = dir, env
		r := launchCommand(t, cmd)
		if code := r.wait(); code != 0 {
			t.Errorf("%s: exit code %d\n%s\n%s", redirection, code, r.out, r.err)
		}
	}
	code, stdout, stderr := run(t, dir, env, "doctor", "--data-dir", data)
	if code != 0 || !strings.Contains(stdout, "as they were written") {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
}

// TestRunMeetsAStoppingServer: a server that is about to stop takes nothing
// new; the run waits for it to be gone and goes on by itself.
func TestRunMeetsAStoppingServer(t *testing.T) {
	t.Parallel()
	g := newGate("alpha")
	v := newVendor(t, g.answer)
	t.Cleanup(func() { close(g["alpha"]) })
	dir, data, env := t.TempDir(), t.TempDir(), cleanEnv(t.TempDir(), v.env()...)
	server := launch(t, dir, env, "serve", "--port", "0", "--data-dir", data)
	server.out.waitFor(t, "\n", 1)
	lock := readLock(t, data)
	client := mix.New(lock.URL, mix.WithToken(lock.Token))
	idle, err := client.CreateSession(t.Context(), mix.SessionSpec{Title: "idle"})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "--data-dir", data, "--model", "openai/mock"}
	first := launch(t, dir, env, append(args, "alpha")...)
	v.waitForRequests(t, 1)
	signalTo(t, server, syscall.SIGTERM)
	for err = nil; err == nil; { // until it has seen the signal
		err = client.Cancel(t.Context(), idle.ID)
	}
	var refused *mix.APIError
	if !errors.As(err, &refused) || refused.Reason != "stopping" {
		t.Fatal(err)
	}
	second := launch(t, dir, env, append(args, "--model", "demo/echo", "beta")...)
	server.err.waitFor(t, "status=503", 2)
	signalTo(t, server, syscall.SIGTERM) // no grace for the first
	if code := first.wait(); code != 130 || !strings.Contains(first.err.String(), interruptedSentence) {
		t.Errorf("the first: exit code %d\n%s\n%s", code, first.out, first.err)
	}
	if code := second.wait(); code != 0 || second.out.String() != "beta\n" {
		t.Errorf("the second: exit code %d\n%s\n%s", code, second.out, second.err)
	}
	if code := server.wait(); code != 0 {
		t.Errorf("the server: exit code %d\n%s", code, server.err)
	}
}
