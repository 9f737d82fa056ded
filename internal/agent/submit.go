package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
)

// Prompt is one message of a person or program.
type Prompt struct {
	Text     string
	PlanMode bool
	Effort   domain.Effort
	MaxSteps int // 0: the session's
	// IdempotencyKey, where not "", names this prompt: sent again, it returns
	// the first answer. Digest is the hash of the request's body and finds a
	// repeated prompt of a client that sends no key.
	IdempotencyKey string
	Digest         string
}

// Accepted says that a prompt is on disk.
type Accepted struct {
	RunID     string
	MessageID string
	Queued    bool
	// EventSeq is the session's event number before the prompt: a subscriber
	// that starts after it sees everything the prompt leads to.
	EventSeq int64
	// Repeated is true when the prompt was accepted before.
	Repeated bool
}

// repeatWindow is how long a byte-identical prompt counts as a repetition of
// one whose acknowledgement was lost. Published clients retry within it.
const repeatWindow = 60 * time.Second

// Submit stores the prompt as a user message with its run and returns when
// both are on disk. Where the session is idle the run begins at once,
// otherwise it waits its turn. Once that is being stored, a ctx that ends does
// not stop it: a run on disk always has somebody who works on it.
//
// Errors wrap [ErrEmptyPrompt], [ErrPromptTooBig], [ErrQueueFull],
// [domain.ErrNotFound] for an unknown session and [domain.ErrClosed] after
// [Service.Close].
func (s *Service) Submit(ctx context.Context, sessionID string, p Prompt) (Accepted, error) {
	if strings.TrimSpace(p.Text) == "" {
		return Accepted{}, ErrEmptyPrompt
	}
	if len(p.Text) > maxText {
		return Accepted{}, fmt.Errorf("%w: %d bytes, the limit is %d; put the text into a file and name it",
			ErrPromptTooBig, len(p.Text), maxText)
	}
	a, err := s.acquire(sessionID)
	if err != nil {
		return Accepted{}, err
	}
	defer s.release(a)
	a.submit.Lock()
	defer a.submit.Unlock()

	sess, err := s.o.Store.Session(ctx, sessionID)
	if err != nil {
		return Accepted{}, err
	}
	if again, ok, err := s.repeated(ctx, sessionID, p); err != nil || ok {
		return again, err
	}

	a.mu.Lock()
	busy, waiting := a.running, len(a.queue)
	a.mu.Unlock()
	if busy && waiting >= s.o.QueueLimit {
		return Accepted{}, fmt.Errorf("%w: %d messages wait; try again when one has run, or cancel", ErrQueueFull, waiting)
	}
	p.Text = strings.ToValidUTF8(p.Text, "\uFFFD")
	run, err := s.accept(ctx, sess, p, busy)
	if err != nil {
		return Accepted{}, err
	}
	s.begin(a, run)
	return Accepted{RunID: run.ID, MessageID: run.MessageID, Queued: busy, EventSeq: run.EventSeq}, nil
}

// accept commits the message with its run and its event.
func (s *Service) accept(ctx context.Context, sess domain.Session, p Prompt, queue bool) (domain.Run, error) {
	position, err := s.o.Log.Position(ctx, sess.ID)
	if err != nil {
		return domain.Run{}, fmt.Errorf("read the position of the event log: %w", err)
	}
	now := s.now()
	msg := domain.Message{
		ID: domain.NewID(), SessionID: sess.ID, Role: domain.RoleUser,
		Blocks:   []domain.Block{{Type: domain.BlockText, Text: p.Text}},
		EventSeq: position + 1, CreatedAt: now, UpdatedAt: now,
	}
	run := domain.Run{
		ID: domain.NewID(), SessionID: sess.ID, MessageID: msg.ID, State: domain.RunRunning,
		PlanMode: p.PlanMode, Effort: p.Effort, MaxSteps: p.MaxSteps,
		IdempotencyKey: p.IdempotencyKey, Digest: p.Digest,
		EventSeq: position, CreatedAt: now, StartedAt: now,
	}
	if run.Effort == domain.EffortDefault {
		run.Effort = effortOf(p.Text)
	}
	msg.RunID = run.ID
	if queue {
		run.State, run.StartedAt = domain.RunQueued, time.Time{}
	}
	b := store.NewBatch()
	if sess.SystemPrompt == "" {
		b.SetSystemPrompt(sess.ID, s.systemPrompt(sess))
		msg.Blocks = append([]domain.Block{s.opening(ctx, sess)}, msg.Blocks...)
	}
	if err := ctx.Err(); err != nil {
		return domain.Run{}, fmt.Errorf("store the message: %w", err)
	}
	err = s.commit(sess.ID, func(last int64) *store.Batch {
		msg.EventSeq = max(msg.EventSeq, last)
		if queue {
			b.QueueMessage(msg)
		} else {
			b.AddMessage(msg)
		}
		b.AddRun(run)
		return b
	}, domain.UserMessage{MessageID: msg.ID, Content: p.Text})
	if err != nil {
		return domain.Run{}, fmt.Errorf("store the message: %w", err)
	}
	return run, nil
}

// begin hands a committed run to the session's runner and starts one where
// none is. The caller holds a.submit.
func (s *Service) begin(a *session, run domain.Run) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running {
		a.queue = append(a.queue, run)
		s.announceQueue(a)
		return
	}
	s.startRunner(a, run)
}

// announceQueue tells subscribers what waits. The caller holds a.mu.
func (s *Service) announceQueue(a *session) {
	waiting := make([]string, len(a.queue))
	for i := range a.queue {
		waiting[i] = a.queue[i].MessageID
	}
	s.o.Log.Append(a.id, domain.QueueChanged{Waiting: waiting})
}

// repeated finds the earlier acceptance of a prompt that a client sends again.
func (s *Service) repeated(ctx context.Context, sessionID string, p Prompt) (Accepted, bool, error) {
	var run domain.Run
	var err error
	switch {
	case p.IdempotencyKey != "":
		run, err = s.o.Store.RunByKey(ctx, sessionID, p.IdempotencyKey)
	case p.Digest != "":
		run, err = s.o.Store.RunByDigest(ctx, sessionID, p.Digest, s.now().Add(-repeatWindow))
		if err == nil && !s.takeUnacknowledged(run.ID) {
			return Accepted{}, false, nil
		}
	default:
		return Accepted{}, false, nil
	}
	if errors.Is(err, domain.ErrNotFound) {
		return Accepted{}, false, nil
	}
	if err != nil {
		return Accepted{}, false, fmt.Errorf("look for the same message: %w", err)
	}
	return Accepted{
		RunID: run.ID, MessageID: run.MessageID, EventSeq: run.EventSeq,
		Queued: run.State == domain.RunQueued, Repeated: true,
	}, true, nil
}

// Unacknowledged notes that the answer to an accepted prompt could not be
// written: the same prompt, sent again within a minute, is that prompt.
func (s *Service) Unacknowledged(runID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	for id, at := range s.unacknowledged {
		if now.Sub(at) > repeatWindow {
			delete(s.unacknowledged, id)
		}
	}
	s.unacknowledged[runID] = now
}

// takeUnacknowledged reports whether the run's acknowledgement was lost, and
// takes the note: the repetition gets its answer once.
func (s *Service) takeUnacknowledged(runID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.unacknowledged[runID]
	delete(s.unacknowledged, runID)
	return ok && s.o.Now().Sub(at) <= repeatWindow
}
