package store

import (
	"fmt"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store/db"
)

// AddMessage adds a message and counts it, its usage and its cost in the
// session. With Seq 0 it takes the next place. Its Calls are not stored; see
// [Batch.AddCalls].
func (b *Batch) AddMessage(m domain.Message) {
	kind, content := b.content(m)
	b.note(b.q.AddMessage(b.ctx(), db.AddMessageParams{
		ID: m.ID, SessionID: m.SessionID, RunID: m.RunID, Sequence: m.Seq, Role: string(m.Role), ContentType: kind,
		Tokens: m.Usage.Total(), InputTokens: m.Usage.Input, OutputTokens: m.Usage.Output,
		CacheReadTokens: m.Usage.CacheRead, CacheWriteTokens: m.Usage.CacheWrite, ReasoningTokens: m.Usage.Reasoning,
		CostUSD: m.CostUSD, CostUnknown: m.CostUnknown, ReasoningMs: m.ReasoningMillis, EventSeq: m.EventSeq,
		CreatedAt: millis(m.CreatedAt), UpdatedAt: millis(m.UpdatedAt),
		Model: m.Model, FinishReason: string(m.FinishReason), Content: content,
	}), "message", m.ID)

	count := db.CountMessageParams{
		ID: m.SessionID, Tokens: m.Usage.Total(), InputTokens: m.Usage.Input, OutputTokens: m.Usage.Output,
		CacheReadTokens: m.Usage.CacheRead, CacheWriteTokens: m.Usage.CacheWrite, ReasoningTokens: m.Usage.Reasoning,
		CostUSD: m.CostUSD, At: millis(m.UpdatedAt),
	}
	if m.CostUnknown {
		count.Unknown = 1
	}
	switch m.Role {
	case domain.RoleUser:
		count.Users, count.FirstUserMessage = 1, m.Text()
	case domain.RoleAssistant:
		count.Assistants = 1
	}
	b.note(b.q.CountMessage(b.ctx(), count), "session", m.SessionID).expect()
}

// QueueMessage adds a user message that has no place yet: it waits in the
// queue and is not counted.
func (b *Batch) QueueMessage(m domain.Message) {
	kind, content := b.content(m)
	b.note(b.q.QueueMessage(b.ctx(), db.QueueMessageParams{
		ID: m.ID, SessionID: m.SessionID, RunID: m.RunID, Role: string(m.Role), ContentType: kind, EventSeq: m.EventSeq,
		CreatedAt: millis(m.CreatedAt), UpdatedAt: millis(m.UpdatedAt), Model: m.Model, Content: content,
	}), "message", m.ID)
	b.note(b.q.NoteFirstMessage(b.ctx(), db.NoteFirstMessageParams{
		FirstUserMessage: m.Text(), At: millis(m.UpdatedAt), ID: m.SessionID,
	}), "session", m.SessionID).expect()
}

const alreadyPlaced = "it has its place in the conversation already"

// PlaceMessage gives a queued message the next place and counts it. The batch
// fails with [domain.ErrConflict] if it has one.
func (b *Batch) PlaceMessage(id string) {
	b.note(b.q.PlaceMessage(b.ctx(), id), "message", id).expectState((*db.Queries).MessageExists, alreadyPlaced)
	b.note(b.q.CountPlaced(b.ctx(), id), "session of message", id).expect()
}

// DeleteQueued removes a message from the queue. The batch fails with
// [domain.ErrConflict] if it has its place already.
func (b *Batch) DeleteQueued(id string) {
	b.note(b.q.DeleteQueued(b.ctx(), id), "message", id).expectState((*db.Queries).MessageExists, alreadyPlaced)
}

// content is the stored form of a message's blocks.
func (b *Batch) content(m domain.Message) (kind, content string) {
	kind, content, err := encodeBlocks(m.Blocks)
	if err != nil {
		b.fail(fmt.Errorf("message %s: %w", m.ID, err))
	}
	return kind, content
}

// json is the stored form of a value.
func (b *Batch) json(v any) string {
	text, err := encodeJSON(v)
	if err != nil {
		b.fail(err)
	}
	return text
}
