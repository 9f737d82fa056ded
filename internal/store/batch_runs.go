package store

import (
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store/db"
)

// AddRun adds a run. The batch fails with [domain.ErrConflict] if the session
// has a run with the same idempotency key.
func (b *Batch) AddRun(r domain.Run) {
	b.note(b.q.AddRun(b.ctx(), db.AddRunParams{
		ID: r.ID, SessionID: r.SessionID, MessageID: r.MessageID, State: string(r.State), Reason: r.Reason,
		PlanMode: r.PlanMode, Effort: string(r.Effort), MaxSteps: int64(r.MaxSteps), Steps: int64(r.Steps),
		EventSeq: r.EventSeq, IdempotencyKey: r.IdempotencyKey, Digest: r.Digest,
		CreatedAt: millis(r.CreatedAt), StartedAt: millis(r.StartedAt), EndedAt: millis(r.EndedAt),
		ErrorType: r.ErrorType, Error: r.Error,
	}), "run", r.ID)
}

// UpdateRun stores how far a run is: state, reason, error, steps, event number
// and times. The rest of a run never changes.
func (b *Batch) UpdateRun(r domain.Run) {
	b.note(b.q.UpdateRun(b.ctx(), db.UpdateRunParams{
		State: string(r.State), Reason: r.Reason, Error: r.Error, ErrorType: r.ErrorType, Steps: int64(r.Steps),
		EventSeq: r.EventSeq, StartedAt: millis(r.StartedAt), EndedAt: millis(r.EndedAt), ID: r.ID,
	}), "run", r.ID).expect()
}

// AddCalls adds rows to the journal, in the states given, and counts them in
// their sessions. Their message has to be stored, or come earlier in the batch.
func (b *Batch) AddCalls(calls []domain.ToolCall) {
	for i, c := range calls {
		input := string(c.Input)
		if input == "" {
			input = "{}"
		}
		b.note(b.q.AddCall(b.ctx(), db.AddCallParams{
			ID: c.ID, SessionID: c.SessionID, MessageID: c.MessageID, RunID: c.RunID, CallID: c.CallID,
			Place: int64(c.Index), Tool: c.Tool, State: string(c.State), RequestID: c.RequestID, IsError: c.IsError,
			CreatedAt: millis(c.CreatedAt), StartedAt: millis(c.StartedAt), EndedAt: millis(c.EndedAt),
			Input: input, Result: string(c.Result), Text: c.Text,
		}), "tool call", c.ID)
		if i+1 == len(calls) || calls[i+1].SessionID != c.SessionID {
			n := 0
			for j := i; j >= 0 && calls[j].SessionID == c.SessionID; j-- {
				n++
			}
			b.note(b.q.CountCalls(b.ctx(), db.CountCallsParams{Calls: int64(n), ID: c.SessionID}), "session", c.SessionID).expect()
		}
	}
}

// StartCall marks a call as started. The batch fails with [domain.ErrConflict]
// if it was started before or has ended: what was started is never started
// again.
func (b *Batch) StartCall(id string, at time.Time) {
	b.note(b.q.StartCall(b.ctx(), db.StartCallParams{StartedAt: millis(at), ID: id}), "tool call", id).
		expectState((*db.Queries).CallExists, "it was started before or has ended")
}

// SetCall moves a call that was not started on to [domain.CallAsked] or
// [domain.CallAllowed]; otherwise the batch fails with [domain.ErrConflict].
func (b *Batch) SetCall(id string, state domain.CallState) {
	b.note(b.q.SetCall(b.ctx(), db.SetCallParams{State: string(state), ID: id}), "tool call", id).
		expectState((*db.Queries).CallExists, "it was started before or has ended")
}

// EndCall stores the result of a call: State, Result, Text, IsError and
// EndedAt. The batch fails with [domain.ErrConflict] if the call has ended.
func (b *Batch) EndCall(c domain.ToolCall) {
	b.note(b.q.EndCall(b.ctx(), db.EndCallParams{
		State: string(c.State), IsError: c.IsError, EndedAt: millis(c.EndedAt),
		Result: string(c.Result), Text: c.Text, ID: c.ID,
	}), "tool call", c.ID).expectState((*db.Queries).CallExists, "it has ended already")
}
