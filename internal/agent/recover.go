package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

// What a model reads of a call that a crash or a stop cut off.
const (
	textMayHaveRun = "This call was interrupted and may have had effects: Mix was stopped while it ran. Look at the state of things before you do it again."
	textNotRun     = "This call was not run: Mix was stopped before it began."
)

// Recover brings the store into a state that every vendor and every client
// accepts, after whatever ended the last server. It has to run before the
// first Submit and before a listener opens; it starts the runs that wait.
//
// Each run is closed in one transaction with its events, so dying in the middle
// of it does no harm: the next recovery goes on where this one was. A second
// call of a service that has recovered does nothing.
func (s *Service) Recover(ctx context.Context) error {
	s.mu.Lock()
	recovered := s.recovered
	s.mu.Unlock()
	if recovered {
		return nil
	}
	runs, err := s.o.Store.UnfinishedRuns(ctx)
	if err != nil {
		return fmt.Errorf("find unfinished runs: %w", err)
	}
	left, err := s.leftovers(ctx)
	if err != nil {
		return err
	}
	var waiting []domain.Run
	for _, run := range runs {
		if run.State == domain.RunQueued {
			s.Unacknowledged(run.ID) // its 202 may have been lost
			waiting = append(waiting, run)
			continue
		}
		if err := s.recoverRun(ctx, run, left.take(run.ID)); err != nil {
			return fmt.Errorf("close an interrupted run: %w", err)
		}
	}
	for _, l := range left.list {
		if err := s.recoverLeft(ctx, l); err != nil {
			return fmt.Errorf("close what an ended run left open: %w", err)
		}
	}
	s.mu.Lock()
	s.recovered = true
	s.mu.Unlock()
	s.resume(waiting)
	return nil
}

// leftover is what a run left without an end: calls without a result and
// questions that nobody can answer any more.
type leftover struct {
	session, run string
	calls        []domain.ToolCall
	requests     []domain.Request
}

type leftovers struct{ list []*leftover }

// take returns what a run left, and drops it from the list.
func (l *leftovers) take(run string) *leftover {
	for i, one := range l.list {
		if one.run == run {
			l.list = slices.Delete(l.list, i, i+1)
			return one
		}
	}
	return &leftover{run: run}
}

// of returns the leftover of a run, a new one where it has none.
func (l *leftovers) of(session, run string) *leftover {
	for _, one := range l.list {
		if one.session == session && one.run == run {
			return one
		}
	}
	one := &leftover{session: session, run: run}
	l.list = append(l.list, one)
	return one
}

func (s *Service) leftovers(ctx context.Context) (*leftovers, error) {
	var all leftovers
	calls, err := s.o.Store.UnfinishedCalls(ctx)
	if err != nil {
		return nil, fmt.Errorf("find unfinished tool calls: %w", err)
	}
	for _, c := range calls {
		one := all.of(c.SessionID, c.RunID)
		one.calls = append(one.calls, c)
	}
	open, err := s.o.Store.OpenRequests(ctx)
	if err != nil {
		return nil, fmt.Errorf("find open requests: %w", err)
	}
	for _, r := range open {
		one := all.of(r.SessionID, r.RunID)
		one.requests = append(one.requests, r)
	}
	return &all, nil
}

// end puts the ends into a batch and returns the events that announce them.
func (l *leftover) end(b *store.Batch, now time.Time) []domain.Event {
	const by, reason = "recovery", "Mix was stopped before anybody answered"
	var events []domain.Event
	for _, r := range l.requests {
		b.AddDecision(domain.Decision{
			ID: domain.NewID(), RequestID: r.ID, SessionID: r.SessionID, Outcome: domain.OutcomeExpired,
			By: by, Reason: reason, CreatedAt: now,
		})
		events = append(events, domain.Resolved{
			RequestID: r.ID, CallID: r.CallID, Outcome: domain.OutcomeExpired, By: by, Reason: reason,
		})
	}
	for _, c := range l.calls {
		progress := c.Tool + " was not run"
		if c.State == domain.CallStarted {
			progress = c.Tool + " was interrupted"
		}
		interrupt(&c, now)
		b.EndCall(c)
		events = append(
			events,
			domain.Result{CallID: c.ID, Tool: c.Tool, Text: c.Text, Result: c.Result, IsError: true, State: c.State},
			domain.ToolComplete{CallID: c.ID, Tool: c.Tool, Progress: progress},
		)
	}
	return events
}

// interrupt gives a call the result of one that was cut off.
func interrupt(c *domain.ToolCall, now time.Time) {
	c.Text = textNotRun
	if c.State == domain.CallStarted {
		c.Text = textMayHaveRun
	}
	c.State, c.IsError, c.EndedAt = domain.CallInterrupted, true, now
	c.Result, _ = json.Marshal(map[string]string{"error": c.Text}) // of two strings: cannot fail
}

// recoverLeft closes what a run left open that has ended itself: a disk that
// was full at the wrong moment can do that.
func (s *Service) recoverLeft(ctx context.Context, l *leftover) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b := store.NewBatch()
	events := l.end(b, s.now())
	return s.commit(l.session, func(int64) *store.Batch { return b }, events...)
}

// recoverRun closes a run that was under way: the text that was streamed
// becomes a message, and the run is interrupted.
func (s *Service) recoverRun(ctx context.Context, run domain.Run, left *leftover) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	seen, err := s.look(ctx, run)
	if err != nil {
		return err
	}
	if !seen.begun() {
		// It may have died between its commit and its 202. Who has seen the
		// answer begin and sends the same again means it anew.
		s.Unacknowledged(run.ID)
	}
	run.State, run.EndedAt, run.Steps = domain.RunInterrupted, s.now(), len(seen.stored)
	run.Error, run.ErrorType = errInterrupted.Error(), errorType(errInterrupted)
	b := store.NewBatch()
	events := left.end(b, run.EndedAt)
	last, err := s.recoverAnswer(ctx, b, run, seen)
	if err != nil {
		return err
	}
	if seen.ended != "" {
		// Clients were told of the end, only its row did not reach the disk.
		run.State = seen.ended
		b.UpdateRun(run)
		return s.commit(run.SessionID, func(int64) *store.Batch { return b }, events...)
	}
	return s.end(b, run, last, events...)
}

// recoverAnswer returns the run's last answer: the one that was being streamed,
// which it puts on disk, or the one that is there.
func (s *Service) recoverAnswer(ctx context.Context, b *store.Batch, run domain.Run, seen sight) (*domain.Message, error) {
	if !seen.unfinished() {
		if len(seen.stored) == 0 {
			return nil, nil
		}
		return &seen.stored[len(seen.stored)-1], nil
	}
	sess, err := s.o.Store.Session(ctx, run.SessionID)
	if err != nil {
		return nil, fmt.Errorf("read the session: %w", err)
	}
	m := &domain.Message{
		ID: seen.messageID, SessionID: run.SessionID, RunID: run.ID, Role: domain.RoleAssistant,
		Blocks: []domain.Block{{Type: domain.BlockText, Text: seen.text}},
		Model:  sess.Model, FinishReason: domain.FinishInterrupted, CostUnknown: true,
		EventSeq: seen.seq, CreatedAt: run.EndedAt, UpdatedAt: run.EndedAt,
	}
	b.AddMessage(*m)
	return m, nil
}

// resume starts the runs that were waiting, in order.
func (s *Service) resume(waiting []domain.Run) {
	for _, run := range waiting {
		a, err := s.acquire(run.SessionID)
		if err != nil {
			return // closed: they go on waiting
		}
		a.submit.Lock()
		s.begin(a, run)
		a.submit.Unlock()
		s.release(a)
	}
}
