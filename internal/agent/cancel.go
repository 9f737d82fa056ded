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
// when the run has ended, or when ctx does; it reports whether there was
// anything to cancel.
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
// nothing is added meanwhile.
func (s *Service) cancelAndWait(ctx context.Context, a *session) error {
	a.mu.Lock()
	waiting := a.queue
	a.queue = nil
	cancel, idle := a.cancel, a.idle
	if len(waiting) > 0 {
		s.announceQueue(a)
	}
	a.mu.Unlock()
	if cancel != nil {
		cancel(errCancelled)
	}
	if idle != nil {
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("wait for the cancelled run: %w", ctx.Err())
		}
	}
	for _, run := range waiting {
		run.State, run.EndedAt = domain.RunCancelled, s.now()
		b := store.NewBatch()
		b.PlaceMessage(run.MessageID)
		if err := s.end(ctx, b, run, nil, false); err != nil {
			return fmt.Errorf("cancel a message that waits: %w", err)
		}
	}
	return nil
}
