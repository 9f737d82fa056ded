package store

import (
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store/db"
)

// AddRequest adds a request to the audit trail.
func (b *Batch) AddRequest(r domain.Request) {
	s := b.note(b.q.AddRequest(b.ctx(), db.AddRequestParams{
		ID: r.ID, SessionID: r.SessionID, SessionName: r.SessionName, RunID: r.RunID, CallID: r.CallID, Kind: r.Kind,
		Tool: r.Tool, Capability: string(r.Capability), Asked: r.Asked, CreatedAt: millis(r.CreatedAt),
		Reason: r.Reason, Target: r.Target, Description: r.Description, Input: string(r.Input),
	}), "request", r.ID)
	s.chained, s.digest = true, digestRequest(r)
}

// AddDecision adds the decision on a request to the audit trail. The batch
// fails with [domain.ErrConflict] if the request has one.
func (b *Batch) AddDecision(d domain.Decision) {
	s := b.note(b.q.AddDecision(b.ctx(), db.AddDecisionParams{
		ID: d.ID, RequestID: d.RequestID, SessionID: d.SessionID, Outcome: string(d.Outcome), DecidedBy: d.By,
		Rule: d.Rule, Scope: string(d.Scope), CreatedAt: millis(d.CreatedAt), Reason: d.Reason, Input: string(d.Input),
	}), "decision on request", d.RequestID)
	s.chained, s.digest = true, digestDecision(d)
}

// AddGrant adds a standing answer: of a session where SessionID is set, else
// of a project.
func (b *Batch) AddGrant(g domain.Grant) {
	b.note(b.q.AddGrant(b.ctx(), db.AddGrantParams{
		ID: g.ID, SessionID: nullText(g.SessionID), Project: g.Project,
		Rule: g.Rule, Outcome: string(g.Outcome), RequestID: g.RequestID, CreatedAt: millis(g.CreatedAt),
	}), "grant", g.ID)
}
