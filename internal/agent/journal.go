package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/tools"
)

// journal writes what the executor does to the store. Its first commit holds
// the assistant message, its calls with what the gate said of each, and the
// starts of those that begin at once: one tool step that asks nobody is two
// commits, this one and the one with its result.
type journal struct{ t *turn }

var _ tools.Journal = (*journal)(nil)

// Propose commits the message with all its calls.
func (j *journal) Propose(ctx context.Context, proposals []tools.Proposal) error {
	t := j.t
	m := t.pending
	if m == nil {
		return errors.New("the message of these calls is stored already")
	}
	b := store.NewBatch()
	m.Calls = m.Calls[:0]
	for i := range proposals {
		m.Calls = append(m.Calls, proposals[i].Call)
	}
	title := t.addMessage(b, m)
	b.AddCalls(m.Calls)
	for i := range proposals {
		p := &proposals[i]
		if p.Request.ID != "" {
			b.AddRequest(p.Request)
		}
		if p.Decision != nil {
			b.AddDecision(*p.Decision)
		}
	}
	if err := t.s.o.Store.Commit(ctx, b); err != nil {
		return fmt.Errorf("record the tool calls: %w", err)
	}
	t.pending, t.last, t.open = nil, m, make(map[string]bool)
	for i := range m.Calls {
		if !m.Calls[i].State.Ended() {
			t.open[m.Calls[i].ID] = true
		}
	}
	t.s.o.Log.Append(t.a.id, t.usageReport(m))
	if title != "" {
		t.sess.Title = title
		t.s.o.Log.Append(t.a.id, domain.TitleChanged{Title: title})
	}
	return nil
}

// Allow records that a person allowed a call which has to wait for others.
func (j *journal) Allow(ctx context.Context, callID string) error {
	return j.commit(ctx, "allow the tool call", func(b *store.Batch) { b.SetCall(callID, domain.CallAllowed) })
}

// Start records that a call begins; only then may it.
func (j *journal) Start(ctx context.Context, callID string) error {
	return j.commit(ctx, "start the tool call", func(b *store.Batch) { b.StartCall(callID, j.t.s.now()) })
}

// End records the result of a call.
func (j *journal) End(ctx context.Context, call domain.ToolCall) error {
	if err := j.commit(ctx, "record the result of the tool call", func(b *store.Batch) { b.EndCall(call) }); err != nil {
		return err
	}
	j.t.mu.Lock()
	defer j.t.mu.Unlock()
	delete(j.t.open, call.ID)
	return nil
}

func (j *journal) commit(ctx context.Context, what string, fill func(*store.Batch)) error {
	b := store.NewBatch()
	fill(b)
	if err := j.t.s.o.Store.Commit(ctx, b); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// emitter passes the executor's events to the session's log.
type emitter struct {
	s       *Service
	session string
}

// Emit appends the event.
func (e emitter) Emit(ev domain.Event) { e.s.o.Log.Append(e.session, ev) }
