package agent

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/store"
)

// finish commits the end of the run, together with everything of it that is
// not on disk yet, and announces it.
func (t *turn) finish(out outcome) {
	s := t.s
	t.run.State, t.run.Reason, t.run.EndedAt, t.run.Steps = out.state, out.reason, s.now(), t.steps
	if out.err != nil {
		t.run.Error, t.run.ErrorType = out.err.Error(), errorType(out.err)
	}
	b := store.NewBatch()
	if !t.placed {
		b.PlaceMessage(t.run.MessageID)
	}
	t.endCalls(b)
	last := t.last
	var events []domain.Event
	if m := t.pending; m != nil {
		seal(m, out)
		if len(m.Blocks) > 0 {
			last = m
			title := t.addMessage(b, m)
			events = append(events, t.usageReport(m))
			if title != "" {
				events = append(events, domain.TitleChanged{Title: title})
			}
		}
	}
	s.conclude(b, t.run, last, events...)
}

// endCalls records the results of calls that the journal did not take: a disk
// that was full for a moment may have room again.
func (t *turn) endCalls(b *store.Batch) {
	if t.last == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.last.Calls {
		if !t.open[c.ID] {
			continue
		}
		if !c.State.Ended() {
			interrupt(&c, t.s.now())
		}
		b.EndCall(c)
	}
}

// seal closes a message that the model did not finish: what was cut off in
// mid-word stays, calls that nobody started and reasoning without its
// signature go, since no vendor would take them back.
func seal(m *domain.Message, out outcome) {
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
	m.Calls = nil
	m.Blocks = slices.DeleteFunc(m.Blocks, func(b domain.Block) bool {
		return b.Type == domain.BlockToolCall || b.Type == domain.BlockReasoning && b.Opaque == ""
	})
	if strings.TrimSpace(m.Text()) == "" {
		m.Blocks = nil // reasoning that led to nothing
	}
}

// conclude ends a run on disk and announces it. Where the disk does not take
// the end, clients must not wait for it: they are told, and the next server
// finds the run unfinished and closes it.
func (s *Service) conclude(b *store.Batch, run domain.Run, last *domain.Message, before ...domain.Event) {
	err := s.end(b, run, last, before...)
	if err == nil {
		return
	}
	s.o.Logger.Error("the end of a run could not be stored", "session", run.SessionID, "run", run.ID, "error", err)
	if run.Error == "" {
		run.Error, run.ErrorType = "the end of this message's work could not be stored: "+err.Error(), errorType(err)
	}
	run.State = domain.RunFailed
	for _, ev := range endEvents(run, last) {
		s.o.Log.Append(run.SessionID, ev)
	}
}

// end commits what is in b together with the end of the run and the events
// that announce it: after a crash either all of it is there or nothing.
func (s *Service) end(b *store.Batch, run domain.Run, last *domain.Message, before ...domain.Event) error {
	b.UpdateRun(run)
	return s.commit(run.SessionID, func(int64) *store.Batch { return b }, append(before, endEvents(run, last)...)...)
}

// commit stores a batch and the events that announce it in one transaction.
// fill is given the number of the last event, 0 where there is none. Neither
// waits for a caller's patience: an event whose commit nobody knows the outcome
// of would get its number twice.
func (s *Service) commit(session string, fill func(last int64) *store.Batch, events ...domain.Event) error {
	ctx := context.Background()
	var stored error
	err := s.o.Log.Seal(ctx, session, func(segments []eventlog.Segment) error {
		var last int64
		if n := len(segments); n > 0 {
			last = segments[n-1].Last
		}
		b := fill(last)
		b.AddSegments(segments)
		stored = s.o.Store.Commit(ctx, b)
		return stored
	}, events...)
	if stored != nil {
		return stored
	}
	return err
}

// endEvents are what ends a run on the stream: an error where it failed, its
// new state, and exactly one complete event.
func endEvents(run domain.Run, last *domain.Message) []domain.Event {
	var events []domain.Event
	if run.Error != "" {
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
	var failure *provider.Error
	var unknown *provider.UnknownError
	switch {
	case errors.As(err, &failure):
		return failure.WireType()
	case errors.As(err, &unknown):
		return "not_found_error"
	case errors.Is(err, errInterrupted):
		return "interrupted"
	case errors.Is(err, errLoop):
		return "loop"
	case errors.Is(err, errSettings):
		return "invalid_request_error"
	}
	return "internal_error"
}
