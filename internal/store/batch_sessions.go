package store

import (
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/store/db"
)

// CreateSession adds a session. Its counters, its usage and its first user
// message start empty whatever s says; its event numbers up to reserveEvents
// are reserved.
func (b *Batch) CreateSession(s domain.Session, reserveEvents int64) {
	b.note(b.q.CreateSession(b.ctx(), db.CreateSessionParams{
		ID: s.ID, ProjectPath: s.Directory, Title: s.Title, TitleGiven: s.TitleGiven, Model: s.Model, Kind: string(s.Kind),
		ParentSessionID: s.ParentSessionID, ParentToolCallID: s.ParentToolCallID, SubagentType: s.SubagentType,
		ReservedEvents: reserveEvents, CreatedAt: millis(s.CreatedAt), UpdatedAt: millis(s.UpdatedAt),
		BrowserMode: string(s.BrowserMode), CdpURL: s.CdpURL, PromptMode: string(s.PromptMode),
		Policy: b.json(s.Policy), Callbacks: b.json(s.Callbacks), CustomPrompt: s.CustomPrompt, SystemPrompt: s.SystemPrompt,
	}), "session", s.ID)
}

// SetTitle renames a session. A derived title (given false) does not replace
// one that somebody chose.
func (b *Batch) SetTitle(id, title string, given bool) {
	var g int64
	if given {
		g = 1
	}
	b.note(b.q.SetTitle(b.ctx(), db.SetTitleParams{Given: g, Title: title, ID: id}), "session", id).expect()
}

// SetModel changes the model of a session.
func (b *Batch) SetModel(id, model string) {
	b.note(b.q.SetModel(b.ctx(), db.SetModelParams{Model: model, ID: id}), "session", id).expect()
}

// SetPolicy changes what binds the runs of a session.
func (b *Batch) SetPolicy(id string, p domain.Policy) {
	b.note(b.q.SetPolicy(b.ctx(), db.SetPolicyParams{Policy: b.json(p), ID: id}), "session", id).expect()
}

// SetSystemPrompt keeps the system prompt as it was composed.
func (b *Batch) SetSystemPrompt(id, prompt string) {
	b.note(b.q.SetSystemPrompt(b.ctx(), db.SetSystemPromptParams{SystemPrompt: prompt, ID: id}), "session", id).expect()
}

// SetDirectory changes where the tools of a session work.
func (b *Batch) SetDirectory(id, dir string) {
	b.note(b.q.SetDirectory(b.ctx(), db.SetDirectoryParams{ProjectPath: dir, ID: id}), "session", id).expect()
}

// SetCallbacks replaces the callbacks of a session.
func (b *Batch) SetCallbacks(id string, callbacks []domain.Callback) {
	b.note(b.q.SetCallbacks(b.ctx(), db.SetCallbacksParams{Callbacks: b.json(callbacks), ID: id}), "session", id).expect()
}

// DeleteSession removes a session with its messages, runs, tool calls, event
// segments and grants. Requests and decisions stay. Sessions of sub-agents are
// sessions of their own and stay as well.
func (b *Batch) DeleteSession(id string) {
	b.note(b.q.DeleteSession(b.ctx(), id), "session", id).expect()
}

// ReserveEvents records that event numbers up to upTo may be in use. The bound
// never goes down.
func (b *Batch) ReserveEvents(session string, upTo int64) {
	b.note(b.q.ReserveEvents(b.ctx(), db.ReserveEventsParams{UpTo: upTo, ID: session}), "session", session).expect()
}

// AddSegments stores event segments. Those of sessions that are gone are left
// out, and so are those that are stored already.
func (b *Batch) AddSegments(segments []eventlog.Segment) {
	for _, s := range segments {
		b.note(b.q.AddSegment(b.ctx(), db.AddSegmentParams{
			SessionID: s.SessionID, First: s.First, Last: s.Last,
			CreatedAt: millis(s.CreatedAt), Bytes: int64(len(s.Data)), Data: s.Data,
		}), "event segment of session", s.SessionID)
	}
}
