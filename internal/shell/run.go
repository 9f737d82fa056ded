package shell

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// How long Run waits for what. SIGKILL takes milliseconds, so from cancelling to
// the last process gone it is politeTime and little more; killTime and drainTime
// only run out for a process that SIGKILL does not end, or a pipe that somebody
// else holds open.
const (
	watchEvery = 50 * time.Millisecond  // looks at the number of processes
	lingerTime = 150 * time.Millisecond // what a finished shell left may finish too
	politeTime = 250 * time.Millisecond // between SIGTERM and SIGKILL
	killTime   = 2 * time.Second        // for processes to vanish after SIGKILL
	drainTime  = 200 * time.Millisecond // for the pipe to close after that
	settleStep = 2 * time.Millisecond   // to the second look whether all are gone, then longer
)

// Run runs c and returns when its shell and all that it started are gone. The
// error is about a command that could not be started, and then nothing ran; how
// a started one ended is in the result. When ctx ends, the command is ended.
func Run(ctx context.Context, c Command) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("start command: %w", err)
	}
	if err := c.check(); err != nil {
		return Result{}, err
	}
	path, argv, err := shellArgs(c.Line)
	if err != nil {
		return Result{}, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return Result{}, fmt.Errorf("start command: %w", err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return Result{}, fmt.Errorf("start command: %w", err)
	}
	defer r.Close()
	e := execution{exited: make(chan ended, 1)}
	started := make(chan error, 1)
	attr := &os.ProcAttr{Dir: c.Dir, Env: c.environ(), Files: []*os.File{null, w, w}}
	begin := time.Now()
	go e.own(path, argv, attr, &c, started)
	err = <-started
	w.Close()
	if err != nil {
		return Result{}, fmt.Errorf("start command: %w", err)
	}
	out := newOutput(&c)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		copyOutput(out, r)
	}()
	e.watch(ctx, &c)
	e.finish()
	select {
	case <-drained:
	case <-time.After(drainTime):
		// Somebody outside the command holds the pipe open, or this machine has
		// no time for us: stop waiting, and take what is in the pipe.
		_ = r.SetReadDeadline(time.Now())
		<-drained
		if r.SetReadDeadline(time.Now().Add(settleStep)) == nil {
			copyOutput(out, io.LimitReader(r, 1<<20))
		}
	}
	out.close()
	res := e.result()
	res.Start, res.End = begin, time.Now()
	out.report(&res)
	return res, nil
}

// copyOutput copies until the pipe ends or its deadline passes, which is all that
// can go wrong with it.
func copyOutput(out *output, r io.Reader) {
	_, _ = io.CopyBuffer(writerOnly{out}, readerOnly{r}, make([]byte, 64<<10))
}

// readerOnly and writerOnly keep io.CopyBuffer from using methods that would
// bring buffers of their own.
type (
	readerOnly struct{ io.Reader }
	writerOnly struct{ io.Writer }
)

// ended is how the shell ended.
type ended struct {
	state *os.ProcessState
	err   error
}

// execution is a command while it runs. After start everything in it belongs to
// the goroutine that called Run.
type execution struct {
	group  *group
	exited chan ended
	end    *ended // nil while the shell runs
	res    Result
}

// own starts the shell and waits for it, on one operating system thread: on
// Linux the shell dies with the thread that started it (PDEATHSIG), and so with
// this program. The thread ends with the command when it was confined.
func (e *execution) own(path string, argv []string, attr *os.ProcAttr, c *Command, started chan<- error) {
	release := lockThread(c.Confine != nil)
	defer release()
	if c.Confine != nil {
		if err := c.Confine(); err != nil {
			started <- fmt.Errorf("confine it: %w", err)
			return
		}
	}
	p, g, err := startGroup(path, argv, attr, c)
	if err != nil {
		started <- err
		return
	}
	e.group = g
	started <- nil
	state, err := p.Wait()
	e.exited <- ended{state, err}
}

// watch returns when the shell has ended or has to be ended, and notes why.
func (e *execution) watch(ctx context.Context, c *Command) {
	var timeout <-chan time.Time
	if c.Timeout > 0 {
		t := time.NewTimer(c.Timeout)
		defer t.Stop()
		timeout = t.C
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case end := <-e.exited:
			e.end = &end
			return
		case <-ctx.Done():
			e.res.Cancelled = true
			return
		case <-timeout:
			e.res.TimedOut = true
			return
		case <-tick.C:
			if n := e.group.count(); c.maxProcs() > 0 && n > c.maxProcs() {
				e.res.TooManyProcs = true
				return
			}
		}
	}
}

// finish brings the command to its end: what the shell left may finish, is then
// asked to end, is then killed. A command with too many processes is not asked.
func (e *execution) finish() {
	if e.end != nil && e.settle(lingerTime) {
		return
	}
	if !e.res.TooManyProcs {
		e.group.terminate(e.end == nil)
		if e.settle(politeTime) {
			return
		}
	}
	const round = 100 * time.Millisecond // a process that forked away needs another
	for range killTime / round {
		e.group.kill()
		if e.settle(round) {
			return
		}
	}
}

// settle waits until the shell and all its descendants are gone, for at most d,
// and reports whether they are.
func (e *execution) settle(d time.Duration) bool {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	wait := settleStep
	step := time.NewTimer(wait)
	defer step.Stop()
	for {
		if e.end != nil && e.group.left() == 0 {
			return true
		}
		select {
		case end := <-e.exited:
			e.end = &end
		case <-step.C:
			wait = min(2*wait, 10*settleStep)
			step.Reset(wait)
		case <-deadline.C:
			return false
		}
	}
}

func (e *execution) result() Result {
	res := e.res
	res.Killed = e.group.signalled()
	res.Survivors = e.group.left()
	res.ExitCode = -1
	switch {
	case e.end == nil:
		res.Survivors++
	case e.end.err == nil:
		res.ExitCode, res.Signal = exitStatus(e.end.state)
	}
	e.group.close(res.Survivors == 0)
	return res
}
