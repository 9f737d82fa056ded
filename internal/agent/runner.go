package agent

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/mixagent/mix/internal/domain"
)

// startRunner starts the goroutine that works off the session's runs,
// beginning with first. The caller holds the session and a.mu.
func (s *Service) startRunner(a *session, first domain.Run) {
	s.again(a)
	s.busy.Add(1)
	a.running = true
	a.idle = make(chan struct{})
	ctx, cancel := context.WithCancelCause(s.base)
	a.cancel = cancel
	go func() {
		defer s.release(a)
		for run, more := first, true; more; ctx, run, more = s.next(a) {
			s.execute(ctx, a, run)
		}
	}()
}

// next ends the runs that were cancelled while they waited, and takes the run
// that follows. Where none does, or the server stops, the session is idle.
func (s *Service) next(a *session) (context.Context, domain.Run, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cancel(nil)
	for len(a.withdrawn) > 0 {
		run := a.withdrawn[0]
		a.withdrawn = a.withdrawn[1:]
		a.mu.Unlock()
		s.withdraw(run)
		a.mu.Lock()
	}
	if len(a.queue) == 0 || s.stopping() {
		a.running, a.cancel = false, nil
		a.queue, a.withdrawn = nil, nil
		s.busy.Add(-1)
		close(a.idle)
		a.idle = nil
		return nil, domain.Run{}, false
	}
	run := a.queue[0]
	a.queue = a.queue[1:]
	s.announceQueue(a)
	ctx, cancel := context.WithCancelCause(s.base)
	a.cancel = cancel
	return ctx, run, true
}

func (s *Service) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// outcome is how a run ended.
type outcome struct {
	state  domain.RunState
	reason string // "max_steps", "max_cost", "loop", "refusal", "max_tokens"
	err    error  // where state is failed or interrupted
}

// execute takes one run from its first model call to its complete event.
// Whatever happens in between, the run ends: also a panic becomes a failed run
// of this session and leaves the others alone.
func (s *Service) execute(ctx context.Context, a *session, run domain.Run) {
	t := &turn{s: s, a: a, run: run}
	t.finish(t.attempt(ctx))
}

func (t *turn) attempt(ctx context.Context) (out outcome) {
	defer func() {
		if p := recover(); p != nil {
			t.s.o.Logger.Error("a run panicked", "session", t.a.id, "run", t.run.ID, "panic", p, "stack", string(debug.Stack()))
			out = outcome{
				state: domain.RunFailed,
				err:   fmt.Errorf("a mistake in the program ended this run: %v; send the message again, the details are in the server's log", p),
			}
		}
	}()
	if err := t.place(ctx); err != nil {
		return failed(ctx, err)
	}
	if err := t.load(ctx); err != nil {
		return failed(ctx, err)
	}
	return t.loop(ctx)
}

// failed turns an error into an outcome: what the context says comes first,
// since a cancelled call fails in many ways.
func failed(ctx context.Context, err error) outcome {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errCancelled):
		return outcome{state: domain.RunCancelled}
	case errors.Is(cause, errInterrupted):
		return outcome{state: domain.RunInterrupted, err: errInterrupted}
	case errors.Is(err, errLoop):
		return outcome{state: domain.RunFailed, reason: "loop", err: err}
	}
	return outcome{state: domain.RunFailed, err: err}
}
