package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
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
// Running it twice, or dying in the middle of it, does no harm.
func (s *Service) Recover(ctx context.Context) error {
	runs, err := s.o.Store.UnfinishedRuns(ctx)
	if err != nil {
		return fmt.Errorf("find unfinished runs: %w", err)
	}
	b := store.NewBatch()
	changed, err := s.recoverCalls(ctx, b)
	if err != nil {
		return err
	}
	resolved, err := s.recoverRequests(ctx, b)
	if err != nil {
		return err
	}
	if changed || len(resolved) > 0 {
		if err := s.o.Store.Commit(ctx, b); err != nil {
			return fmt.Errorf("store the recovery: %w", err)
		}
	}
	for _, ev := range resolved {
		s.o.Log.Append(ev.session, ev.event)
	}
	var waiting []domain.Run
	for _, run := range runs {
		// Its acknowledgement may have been lost in the crash.
		s.Unacknowledged(run.ID)
		if run.State == domain.RunQueued {
			waiting = append(waiting, run)
			continue
		}
		if err := s.recoverRun(ctx, run); err != nil {
			return err
		}
	}
	s.resume(waiting)
	return nil
}

// recoverCalls ends the calls that have no result.
func (s *Service) recoverCalls(ctx context.Context, b *store.Batch) (bool, error) {
	calls, err := s.o.Store.UnfinishedCalls(ctx)
	if err != nil {
		return false, fmt.Errorf("find unfinished tool calls: %w", err)
	}
	for _, c := range calls {
		c.Text = textNotRun
		if c.State == domain.CallStarted {
			c.Text = textMayHaveRun
		}
		c.State, c.IsError, c.EndedAt = domain.CallInterrupted, true, s.now()
		result, err := json.Marshal(map[string]string{"error": c.Text})
		if err != nil {
			return false, fmt.Errorf("encode the result of an interrupted call: %w", err)
		}
		c.Result = result
		b.EndCall(c)
	}
	return len(calls) > 0, nil
}

type resolvedRequest struct {
	session string
	event   domain.Resolved
}

// recoverRequests closes the questions that nobody can answer any more.
func (s *Service) recoverRequests(ctx context.Context, b *store.Batch) ([]resolvedRequest, error) {
	open, err := s.o.Store.OpenRequests(ctx)
	if err != nil {
		return nil, fmt.Errorf("find open requests: %w", err)
	}
	const reason = "Mix was stopped before anybody answered"
	var events []resolvedRequest
	for _, r := range open {
		b.AddDecision(domain.Decision{
			ID: domain.NewID(), RequestID: r.ID, SessionID: r.SessionID, Outcome: domain.OutcomeExpired,
			By: "recovery", Reason: reason, CreatedAt: s.now(),
		})
		events = append(events, resolvedRequest{r.SessionID, domain.Resolved{
			RequestID: r.ID, CallID: r.CallID, Outcome: domain.OutcomeExpired, By: "recovery", Reason: reason,
		}})
	}
	return events, nil
}

// recoverRun closes a run that was under way: the text that was streamed
// becomes a message, and the run is interrupted.
func (s *Service) recoverRun(ctx context.Context, run domain.Run) error {
	seen, err := s.scanRun(ctx, run)
	if err != nil {
		return err
	}
	run.State, run.EndedAt = domain.RunInterrupted, s.now()
	run.Error, run.ErrorType = "Mix was stopped while it worked on this message; what was done so far is kept. Send a message to go on.", "interrupted"
	b := store.NewBatch()
	last, err := s.recoverAnswer(ctx, b, run, seen)
	if err != nil {
		return err
	}
	if err := s.end(ctx, b, run, last, true); err != nil {
		return fmt.Errorf("close an interrupted run: %w", err)
	}
	return nil
}

// recoverAnswer returns the run's last answer: the one on disk, or the one
// that was being streamed, which it puts on disk.
func (s *Service) recoverAnswer(ctx context.Context, b *store.Batch, run domain.Run, seen sight) (*domain.Message, error) {
	stored, err := s.o.Store.Messages(ctx, run.SessionID, store.MessageRange{Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("read the last message: %w", err)
	}
	var last *domain.Message
	if len(stored) > 0 && stored[0].RunID == run.ID && stored[0].Role == domain.RoleAssistant {
		last = &stored[0]
	}
	if last != nil && last.ID == seen.messageID || strings.TrimSpace(seen.text) == "" {
		return last, nil
	}
	sess, err := s.o.Store.Session(ctx, run.SessionID)
	if err != nil {
		return nil, fmt.Errorf("read the session: %w", err)
	}
	last = &domain.Message{
		ID: seen.messageID, SessionID: run.SessionID, RunID: run.ID, Role: domain.RoleAssistant,
		Blocks: []domain.Block{{Type: domain.BlockText, Text: seen.text}},
		Model:  sess.Model, FinishReason: domain.FinishInterrupted, CostUnknown: true,
		EventSeq: seen.seq, CreatedAt: run.EndedAt, UpdatedAt: run.EndedAt,
	}
	b.AddMessage(*last)
	return last, nil
}

// sight is what the log holds of the last, unfinished answer of a run.
type sight struct {
	messageID, text string
	seq             int64
}

// scanRun reads the run's part of the event log. What is damaged there cannot
// be read again; the rest is worth having.
func (s *Service) scanRun(ctx context.Context, run domain.Run) (sight, error) {
	var seen sight
	var text strings.Builder
	err := eventlog.ScanSegments(ctx, s.o.Store, run.SessionID, run.EventSeq,
		func(seq int64, typ domain.EventType, data []byte) error {
			if typ != domain.EventContent {
				return nil
			}
			var ev struct {
				Content            string `json:"content"`
				AssistantMessageID string `json:"assistantMessageId"`
				ParentToolCallID   string `json:"parentToolCallId"`
			}
			if err := json.Unmarshal(data, &ev); err != nil {
				return fmt.Errorf("decode event %d: %w", seq, err)
			}
			if ev.ParentToolCallID != "" {
				return nil // a sub-agent's
			}
			if ev.AssistantMessageID != seen.messageID {
				seen.messageID = ev.AssistantMessageID
				text.Reset()
			}
			text.WriteString(ev.Content)
			seen.seq = seq
			return nil
		})
	if errors.Is(err, eventlog.ErrDamaged) {
		s.o.Logger.Error("a part of the event log is damaged", "session", run.SessionID, "error", err)
		err = nil
	}
	if err != nil && !errors.Is(err, domain.ErrNotFound) {
		return sight{}, fmt.Errorf("read the events of an interrupted run: %w", err)
	}
	seen.text = text.String()
	return seen, nil
}

// resume starts the runs that were waiting, in order.
func (s *Service) resume(waiting []domain.Run) {
	for _, run := range waiting {
		a, err := s.acquire(run.SessionID)
		if err != nil {
			return
		}
		a.submit.Lock()
		s.begin(a, run)
		a.submit.Unlock()
		s.release(a)
	}
}
