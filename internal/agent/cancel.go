package agent

import (
	"context"
	"fmt"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

// Cancel stops what the session is doing: the run under way, with its model
// call, its tools and everything they started, and the messages that wait.
// Those stay in the conversation, as messages that nobody answered. It returns
// when all that has ended, or with an error when ctx ends first; the work is
// cancelled all the same. It reports whether there was anything to cancel.
func (s *Service) Cancel(ctx context.Context, sessionID string) (bool, error) {
	if _, err := s.o.Store.Session(ctx, sessionID); err != nil {
		return false, err
	}
	a, err := s.acquire(sessionID)
	if err != nil {
		return false, err
	}
	defer s.release(a)
	a.submit.Lock()
	defer a.submit.Unlock()
	a.mu.Lock()
	busy := a.running
	a.mu.Unlock()
	return busy, s.cancelAndWait(ctx, a)
}

// cancelAndWait ends all work of a session. The caller holds a.submit, so
// nothing is added meanwhile. The messages that wait are ended by the runner,
// after the run under way: before it they would stand in front of its answer.
func (s *Service) cancelAndWait(ctx context.Context, a *session) error {
	a.mu.Lock()
	if !a.running {
		a.mu.Unlock()
		return nil
	}
	if len(a.queue) > 0 {
		a.withdrawn = append(a.withdrawn, a.queue...)
		a.queue = nil
		s.announceQueue(a)
	}
	a.cancel(errCancelled)
	idle := a.idle
	a.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the cancelled run: %w", ctx.Err())
	}
}

// withdraw ends a run that was cancelled while it waited. Its message gets its
// place, as one that nobody answered.
func (s *Service) withdraw(run domain.Run) {
	run.State, run.EndedAt = domain.RunCancelled, s.now()
	b := store.NewBatch()
	b.PlaceMessage(run.MessageID)
	s.conclude(b, run, nil)
}
