package store

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store/db"
)

// The values of messages.content_type.
const (
	contentText   = "text"   // content is the text of the only block
	contentBlocks = "blocks" // content is a JSON array of blocks
)

// millis is the stored form of a time; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment reads what millis wrote.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// encodeJSON is the stored form of a value: JSON without the escapes for HTML.
func encodeJSON(v any) (string, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("encode as JSON: %w", err)
	}
	return string(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), nil
}

// raw reads a column of JSON text that may be empty.
func raw(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// encodeBlocks is the stored form of a message's blocks.
func encodeBlocks(blocks []domain.Block) (kind, content string, err error) {
	if len(blocks) == 1 && blocks[0] == (domain.Block{Type: domain.BlockText, Text: blocks[0].Text}) {
		return contentText, blocks[0].Text, nil
	}
	if blocks == nil {
		blocks = []domain.Block{}
	}
	content, err = encodeJSON(blocks)
	return contentBlocks, content, err
}

// decodeBlocks reads what encodeBlocks wrote.
func decodeBlocks(kind, content string) ([]domain.Block, error) {
	if kind == contentText {
		return []domain.Block{{Type: domain.BlockText, Text: content}}, nil
	}
	var blocks []domain.Block
	if err := json.Unmarshal([]byte(content), &blocks); err != nil {
		return nil, err
	}
	return blocks, nil
}

func toSession(r db.Session) (domain.Session, error) {
	s := domain.Session{
		ID: r.ID, Kind: domain.SessionKind(r.Kind), Title: r.Title, TitleGiven: r.TitleGiven,
		ParentSessionID: r.ParentSessionID, ParentToolCallID: r.ParentToolCallID, SubagentType: r.SubagentType,
		Directory: r.ProjectPath, Model: r.Model,
		BrowserMode: domain.BrowserMode(r.BrowserMode), CdpURL: r.CdpURL,
		PromptMode: domain.PromptMode(r.PromptMode), CustomPrompt: r.CustomPrompt, SystemPrompt: r.SystemPrompt,
		FirstUserMessage: r.FirstUserMessage, MessageCount: r.MessageCount, UserMessages: r.UserMessageCount,
		AssistantMessages: r.AssistantMessageCount, ToolCalls: r.ToolCallCount,
		Usage: domain.Usage{
			Input: r.InputTokens, Output: r.OutputTokens, CacheRead: r.CacheReadTokens,
			CacheWrite: r.CacheWriteTokens, Reasoning: r.ReasoningTokens,
		},
		CostUSD: r.CostUSD, CostUnknown: r.CostUnknown, CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}
	if err := json.Unmarshal([]byte(r.Policy), &s.Policy); err != nil {
		return s, fmt.Errorf("%w: policy of session %s: %w", ErrDamaged, r.ID, err)
	}
	if err := json.Unmarshal([]byte(r.Callbacks), &s.Callbacks); err != nil {
		return s, fmt.Errorf("%w: callbacks of session %s: %w", ErrDamaged, r.ID, err)
	}
	return s, nil
}

func toMessage(r db.Message) (domain.Message, error) {
	m := domain.Message{
		ID: r.ID, SessionID: r.SessionID, RunID: r.RunID, Seq: r.Sequence.Int64, Role: domain.Role(r.Role),
		Model: r.Model, FinishReason: domain.FinishReason(r.FinishReason), ReasoningMillis: r.ReasoningMs,
		Usage: domain.Usage{
			Input: r.InputTokens, Output: r.OutputTokens, CacheRead: r.CacheReadTokens,
			CacheWrite: r.CacheWriteTokens, Reasoning: r.ReasoningTokens,
		},
		CostUSD: r.CostUSD, CostUnknown: r.CostUnknown, EventSeq: r.EventSeq,
		CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}
	var err error
	if m.Blocks, err = decodeBlocks(r.ContentType, r.Content); err != nil {
		return m, fmt.Errorf("%w: content of message %s: %w", ErrDamaged, r.ID, err)
	}
	return m, nil
}

func toRun(r db.Run) domain.Run {
	return domain.Run{
		ID: r.ID, SessionID: r.SessionID, MessageID: r.MessageID, State: domain.RunState(r.State), Reason: r.Reason,
		Error: r.Error, ErrorType: r.ErrorType, PlanMode: r.PlanMode, Effort: domain.Effort(r.Effort),
		MaxSteps: int(r.MaxSteps), Steps: int(r.Steps), EventSeq: r.EventSeq, IdempotencyKey: r.IdempotencyKey,
		Digest: r.Digest, CreatedAt: moment(r.CreatedAt), StartedAt: moment(r.StartedAt), EndedAt: moment(r.EndedAt),
	}
}

func toCall(r db.ToolCall) domain.ToolCall {
	return domain.ToolCall{
		ID: r.ID, CallID: r.CallID, SessionID: r.SessionID, RunID: r.RunID, MessageID: r.MessageID, Index: int(r.Place),
		Tool: r.Tool, Input: raw(r.Input), State: domain.CallState(r.State), RequestID: r.RequestID,
		Result: raw(r.Result), Text: r.Text, IsError: r.IsError,
		StartedAt: moment(r.StartedAt), EndedAt: moment(r.EndedAt), CreatedAt: moment(r.CreatedAt),
	}
}

func toRequest(r db.Request) domain.Request {
	return domain.Request{
		ID: r.ID, SessionID: r.SessionID, SessionName: r.SessionName, RunID: r.RunID, CallID: r.CallID, Kind: r.Kind,
		Tool: r.Tool, Capability: domain.Capability(r.Capability), Target: r.Target, Description: r.Description,
		Input: raw(r.Input), Asked: r.Asked, Reason: r.Reason, CreatedAt: moment(r.CreatedAt),
	}
}

func toDecision(d db.Decision) domain.Decision {
	return domain.Decision{
		ID: d.ID, RequestID: d.RequestID, SessionID: d.SessionID, Outcome: domain.Outcome(d.Outcome), By: d.DecidedBy,
		Rule: d.Rule, Scope: domain.Scope(d.Scope), Reason: d.Reason, Input: raw(d.Input), CreatedAt: moment(d.CreatedAt),
	}
}

func toGrant(g db.Grant) domain.Grant {
	return domain.Grant{
		ID: g.ID, SessionID: g.SessionID.String, Project: g.Project, Rule: g.Rule, Outcome: domain.Outcome(g.Outcome),
		RequestID: g.RequestID, CreatedAt: moment(g.CreatedAt),
	}
}

// nullText is NULL where s is empty.
func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// all converts the rows of a query.
func all[Row, T any](rows []Row, convert func(Row) T) []T {
	out := make([]T, len(rows))
	for i := range rows {
		out[i] = convert(rows[i])
	}
	return out
}

// allChecked converts the rows of a query where a row may be damaged.
func allChecked[Row, T any](rows []Row, convert func(Row) (T, error)) ([]T, error) {
	out := make([]T, len(rows))
	for i := range rows {
		var err error
		if out[i], err = convert(rows[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
