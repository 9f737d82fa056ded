package agent

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/store"
)

// startRunner starts the goroutine that works off the session's runs,
// beginning with first. The caller holds a.mu.
func (s *Service) startRunner(a *session, first domain.Run) {
	s.mu.Lock()
	s.active[a.id] = a
	a.refs++
	s.wg.Add(1)
	s.mu.Unlock()
	a.running = true
	a.idle = make(chan struct{})
	ctx, cancel := context.WithCancelCause(s.base)
	a.cancel = cancel
	go func() {
		defer s.wg.Done()
		defer s.release(a)
		s.work(ctx, a, first)
	}()
}

// work executes run after run until none waits or the server stops.
func (s *Service) work(ctx context.Context, a *session, run domain.Run) {
	for {
		s.execute(ctx, a, run)

		a.mu.Lock()
		a.cancel(nil)
		if len(a.queue) == 0 || s.base.Err() != nil || s.stopping() {
			a.running, a.cancel = false, nil
			a.queue = nil
			close(a.idle)
			a.idle = nil
			a.mu.Unlock()
			return
		}
		run = a.queue[0]
		a.queue = a.queue[1:]
		s.announceQueue(a)
		ctx, a.cancel = context.WithCancelCause(s.base)
		a.mu.Unlock()
	}
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
	out := func() (out outcome) {
		defer func() {
			if p := recover(); p != nil {
				s.o.Logger.Error("a run panicked", "session", a.id, "run", run.ID, "panic", p, "stack", string(debug.Stack()))
				out = outcome{state: domain.RunFailed, err: fmt.Errorf("internal error: %v; the details are in the server's log", p)}
			}
		}()
		if err := t.prepare(ctx); err != nil {
			return s.failed(ctx, err)
		}
		return t.loop(ctx)
	}()
	t.finish(ctx, out)
}

// failed turns an error into an outcome: what the context says comes first,
// since a cancelled call fails in many ways.
func (s *Service) failed(ctx context.Context, err error) outcome {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errCancelled):
		return outcome{state: domain.RunCancelled}
	case errors.Is(cause, errInterrupted):
		return outcome{state: domain.RunInterrupted, err: errInterrupted}
	}
	return outcome{state: domain.RunFailed, err: err}
}

// finish commits the end of the run, together with the last message where
// that is not on disk yet, and announces it.
func (t *turn) finish(ctx context.Context, out outcome) {
	s := t.s
	t.run.State, t.run.Reason, t.run.EndedAt, t.run.Steps = out.state, out.reason, s.now(), t.steps
	if out.err != nil {
		t.run.Error, t.run.ErrorType = out.err.Error(), errorType(out.err)
	}
	b := store.NewBatch()
	if t.pending != nil {
		t.seal(t.pending, out)
		if len(t.pending.Blocks) > 0 {
			t.addMessage(b, t.pending)
		} else {
			t.pending = nil
		}
	}
	last := t.pending
	if last == nil {
		last = t.last
	}
	if err := s.end(context.WithoutCancel(ctx), b, t.run, last, out.err != nil, t.closing()...); err != nil {
		t.cannotEnd(err)
	}
}

// closing are the events of the last message and the first title, which are
// stored together with the end of the run.
func (t *turn) closing() []domain.Event {
	var events []domain.Event
	if t.pending != nil {
		events = append(events, t.usageReport(t.pending))
	}
	if t.title != "" && t.sess.Title == "" {
		t.sess.Title = t.title
		events = append(events, domain.TitleChanged{Title: t.title})
	}
	return events
}

// cannotEnd deals with a disk that does not take the end of the run. Clients
// must not wait, so they are told, although the next server will find the run
// unfinished and close it once more.
func (t *turn) cannotEnd(err error) {
	s := t.s
	s.o.Logger.Error("the end of a run could not be stored", "session", t.a.id, "run", t.run.ID, "error", err)
	err = fmt.Errorf("store the end of the run: %w", err)
	t.run.State, t.run.Error, t.run.ErrorType = domain.RunFailed, err.Error(), errorType(err)
	for _, ev := range endEvents(t.run, t.last, true) {
		s.o.Log.Append(t.a.id, ev)
	}
}

// end commits what is in b together with the end of the run and the events
// that announce it: after a crash either all of it is there or nothing.
func (s *Service) end(ctx context.Context, b *store.Batch, run domain.Run, last *domain.Message, failed bool, before ...domain.Event) error {
	b.UpdateRun(run)
	commit := func(segments []eventlog.Segment) error {
		b.AddSegments(segments)
		return s.o.Store.Commit(ctx, b)
	}
	return s.o.Log.Seal(ctx, run.SessionID, commit, append(before, endEvents(run, last, failed)...)...)
}

// seal closes a message that the model did not finish: what was cut off in
// mid-word stays, calls that nobody started and reasoning without its
// signature go, since no vendor would take them back.
func (t *turn) seal(m *domain.Message, out outcome) {
	switch out.state {
	case domain.RunDone:
		return
	case domain.RunCancelled:
		m.FinishReason = domain.FinishCanceled
	case domain.RunInterrupted:
		m.FinishReason = domain.FinishInterrupted
	default:
		m.FinishReason = domain.FinishError
	}
	keep := m.Blocks[:0]
	for _, b := range m.Blocks {
		if b.Type == domain.BlockText && b.Text != "" {
			keep = append(keep, b)
		}
	}
	m.Blocks, m.Calls = keep, nil
}

// endEvents are what ends a run on the stream: an error where it failed, its
// new state, and exactly one complete event.
func endEvents(run domain.Run, last *domain.Message, failed bool) []domain.Event {
	var events []domain.Event
	if failed {
		events = append(events, domain.Failure{Message: run.Error, Type: run.ErrorType})
	}
	events = append(events, domain.RunChanged{
		RunID: run.ID, MessageID: run.MessageID, State: run.State, Reason: run.Reason, Error: run.Error,
	})
	done := domain.Complete{RunID: run.ID, State: run.State, Reason: run.Reason}
	if last != nil {
		done.MessageID = last.ID
		done.Content = last.Text()
		done.Reasoning = last.Reasoning()
		done.ReasoningMillis = last.ReasoningMillis
	}
	return append(events, done)
}

// errorType is the word for an error on the wire.
func errorType(err error) string {
	var pe *provider.Error
	switch {
	case errors.As(err, &pe):
		return pe.WireType()
	case errors.Is(err, errInterrupted):
		return "interrupted"
	case errors.Is(err, errLoop):
		return "loop"
	}
	return "internal_error"
}
