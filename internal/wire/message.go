package wire

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// BackendMessage is the contract's schema of that name, with keys of our own
// behind it. Tokens and cost are there for assistant messages only.
type BackendMessage struct {
	ID        string      `json:"id"`
	SessionID string      `json:"sessionId"`
	Role      domain.Role `json:"role"`
	// UserInput is the text of every message, also the assistant's: programs
	// print it for each role.
	UserInput           string         `json:"userInput"`
	AssistantResponse   string         `json:"assistantResponse,omitempty"`
	Reasoning           string         `json:"reasoning,omitempty"`
	ReasoningDuration   int64          `json:"reasoningDuration,omitempty"` // milliseconds
	ToolCalls           []ToolCallData `json:"toolCalls,omitempty"`
	Model               string         `json:"model,omitempty"`
	InputTokens         *int64         `json:"inputTokens,omitempty"` // includes cache creation
	OutputTokens        *int64         `json:"outputTokens,omitempty"`
	CacheCreationTokens *int64         `json:"cacheCreationTokens,omitempty"`
	CacheReadTokens     *int64         `json:"cacheReadTokens,omitempty"`
	Cost                *float64       `json:"cost,omitempty"` // left out where the price is unknown

	RunID        string              `json:"runId,omitempty"`
	FinishReason domain.FinishReason `json:"finishReason,omitempty"`
	// Queued: the message waits for its turn.
	Queued      bool         `json:"queued,omitempty"`
	Attachments []Attachment `json:"attachments,omitempty"`
	// Sequence orders the messages of a session; EventSeq is the event number
	// up to which a subscriber has seen this message.
	Sequence  int64     `json:"sequence,omitempty"`
	EventSeq  int64     `json:"eventSeq,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
}

// Attachment names a file of the session that a message refers to.
type Attachment struct {
	Name      string `json:"name"`
	MediaType string `json:"mediaType,omitempty"`
}

// ToolCallData is the contract's schema of that name.
type ToolCallData struct {
	ID       string `json:"id"` // the one that events and requests use
	Name     string `json:"name"`
	Input    string `json:"input"` // JSON text
	Type     string `json:"type"`  // always "tool_use"
	Finished bool   `json:"finished"`
	Result   string `json:"result,omitempty"` // JSON text
	IsError  bool   `json:"isError"`

	State     domain.CallState `json:"state"`
	RequestID string           `json:"requestId,omitempty"`
	// Text is what the model read.
	Text      string     `json:"text,omitempty"`
	StartedAt *time.Time `json:"startedAt,omitempty"`
	EndedAt   *time.Time `json:"endedAt,omitempty"`
}

// NewMessage converts a message with its calls.
func NewMessage(m *domain.Message) BackendMessage {
	text := m.Text()
	d := BackendMessage{
		ID: m.ID, SessionID: m.SessionID, Role: m.Role, UserInput: text,
		RunID: m.RunID, Queued: m.Seq == 0, Sequence: m.Seq, EventSeq: m.EventSeq,
		CreatedAt: stamp(m.CreatedAt),
	}
	for i := range m.Blocks {
		if b := &m.Blocks[i]; b.Type == domain.BlockImage || b.Type == domain.BlockFile {
			d.Attachments = append(d.Attachments, Attachment{Name: b.Name, MediaType: b.MediaType})
		}
	}
	if m.Role != domain.RoleAssistant {
		return d
	}
	d.AssistantResponse = text
	d.Reasoning, d.ReasoningDuration = m.Reasoning(), m.ReasoningMillis
	d.Model, d.FinishReason = m.Model, m.FinishReason
	u := m.Usage
	input := u.Input + u.CacheWrite
	d.InputTokens, d.OutputTokens = &input, &u.Output
	d.CacheCreationTokens, d.CacheReadTokens = &u.CacheWrite, &u.CacheRead
	if cost := m.CostUSD; !m.CostUnknown {
		d.Cost = &cost
	}
	for i := range m.Calls {
		d.ToolCalls = append(d.ToolCalls, newToolCall(&m.Calls[i]))
	}
	return d
}

// NewMessages converts a list; an empty one is not nil.
func NewMessages(list []domain.Message) []BackendMessage {
	out := make([]BackendMessage, len(list))
	for i := range list {
		out[i] = NewMessage(&list[i])
	}
	return out
}

func newToolCall(c *domain.ToolCall) ToolCallData {
	d := ToolCallData{
		ID: c.ID, Name: c.Tool, Input: "{}", Type: "tool_use",
		Finished: c.State.Ended(), IsError: c.IsError,
		State: c.State, RequestID: c.RequestID, Text: c.Text,
		StartedAt: optionalTime(c.StartedAt), EndedAt: optionalTime(c.EndedAt),
	}
	if json.Valid(c.Input) {
		d.Input = strings.TrimSpace(string(c.Input))
	}
	if json.Valid(c.Result) {
		d.Result = strings.TrimSpace(string(c.Result))
	}
	return d
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = stamp(t)
	return &t
}
