package wire

import (
	"encoding/json"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// ExportSession is a whole conversation as one document.
type ExportSession struct {
	ID                    string             `json:"id"`
	Title                 string             `json:"title"`
	SessionType           domain.SessionKind `json:"sessionType"`
	Messages              []ExportMessage    `json:"messages"`
	CreatedAt             time.Time          `json:"createdAt"`
	UpdatedAt             time.Time          `json:"updatedAt"`
	UserMessageCount      int64              `json:"userMessageCount"`
	AssistantMessageCount int64              `json:"assistantMessageCount"`
	ToolCallCount         int64              `json:"toolCallCount"`
	PromptTokens          int64              `json:"promptTokens"`
	CompletionTokens      int64              `json:"completionTokens"`
	Cost                  float64            `json:"cost"`
}

// ExportMessage is a message of an export.
type ExportMessage struct {
	ID                string              `json:"id"`
	Role              domain.Role         `json:"role"`
	Content           string              `json:"content"`
	Reasoning         string              `json:"reasoning,omitempty"`
	ReasoningDuration int64               `json:"reasoningDuration,omitempty"` // milliseconds
	ToolCalls         []ExportToolCall    `json:"toolCalls,omitempty"`
	FinishReason      domain.FinishReason `json:"finishReason,omitempty"`
	Model             string              `json:"model,omitempty"`
	Timestamp         time.Time           `json:"timestamp"`
	CreatedAt         time.Time           `json:"createdAt"`
	UpdatedAt         time.Time           `json:"updatedAt"`
}

// ExportToolCall is a tool call of an export, with its result.
type ExportToolCall struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     string          `json:"input"`               // JSON text
	InputJSON json.RawMessage `json:"inputJson,omitempty"` // only where Input is an object
	Type      string          `json:"type"`
	Finished  bool            `json:"finished"`
	Result    string          `json:"result,omitempty"` // JSON text
	IsError   bool            `json:"isError"`
	Metadata  string          `json:"metadata"` // the call's state
}

// NewExportSession converts a session with all its messages.
func NewExportSession(s *domain.Session, messages []domain.Message) ExportSession {
	d := NewSessionData(s)
	e := ExportSession{
		ID: d.ID, Title: d.Title, SessionType: d.SessionType,
		Messages:  make([]ExportMessage, len(messages)),
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
		UserMessageCount: d.UserMessageCount, AssistantMessageCount: d.AssistantMessageCount,
		ToolCallCount: d.ToolCallCount, PromptTokens: d.PromptTokens, CompletionTokens: d.CompletionTokens,
		Cost: d.Cost,
	}
	for i := range messages {
		e.Messages[i] = newExportMessage(&messages[i])
	}
	return e
}

func newExportMessage(m *domain.Message) ExportMessage {
	e := ExportMessage{
		ID: m.ID, Role: m.Role, Content: m.Text(), Reasoning: m.Reasoning(),
		ReasoningDuration: m.ReasoningMillis, FinishReason: m.FinishReason, Model: m.Model,
		Timestamp: stamp(m.CreatedAt), CreatedAt: stamp(m.CreatedAt), UpdatedAt: stamp(m.UpdatedAt),
	}
	for i := range m.Calls {
		c := newToolCall(&m.Calls[i])
		x := ExportToolCall{
			ID: c.ID, Name: c.Name, Input: c.Input, Type: c.Type, Finished: c.Finished,
			Result: c.Result, IsError: c.IsError, Metadata: string(c.State),
		}
		if raw := json.RawMessage(c.Input); isObject(raw) {
			x.InputJSON = raw
		}
		e.ToolCalls = append(e.ToolCalls, x)
	}
	return e
}
