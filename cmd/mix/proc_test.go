package main_test

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for something that takes a moment.
const patience = 20 * time.Second

// proc is a command that runs beside the test.
type proc struct {
	t        testing.TB
	cmd      *exec.Cmd
	out, err *output
	ended    chan struct{}
}

// launch starts the program and leaves it running.
func launch(t testing.TB, dir string, env []string, args ...string) *proc {
	t.Helper()
	cmd := exec.Command(program(t), args...)
	cmd.Dir, cmd.Env = dir, env
	return launchCommand(t, cmd)
}

func launchCommand(t testing.TB, cmd *exec.Cmd) *proc {
	t.Helper()
	p := &proc{t: t, cmd: cmd, out: newOutput(), err: newOutput(), ended: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.err
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // the exit code tells
		p.out.end()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// wait returns the exit code.
func (p *proc) wait() int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-ctx.Done():
		p.t.Fatalf("%v did not end\n%s\n%s", p.cmd.Args, p.out, p.err)
		return 0
	}
}

// running reports whether it has not ended.
func (p *proc) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// output collects what is written, for readers that wait for something in it.
type output struct {
	mu    sync.Mutex
	cond  *sync.Cond
	data  []byte
	ended bool
}

func newOutput() *output {
	o := &output{}
	o.cond = sync.NewCond(&o.mu)
	return o
}

// Write appends p.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data = append(o.data, p...)
	o.cond.Broadcast()
	return len(p), nil
}

// String returns what was written so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.data)
}

// waitFor waits until text has been written n times.
func (o *output) waitFor(t testing.TB, text string, n int) {
	t.Helper()
	if !o.comes(text, n) {
		t.Fatalf("%q was not written %d times:\n%s", text, n, o)
	}
}

// comes waits until text has been written n times; false if that takes too
// long, or nothing more will be written.
func (o *output) comes(text string, n int) bool {
	timer := time.AfterFunc(patience, o.end)
	defer timer.Stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for strings.Count(string(o.data), text) < n {
		if o.ended {
			return false
		}
		o.cond.Wait()
	}
	return true
}

// end says that nothing more is to be waited for.
func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.cond.Broadcast()
}
