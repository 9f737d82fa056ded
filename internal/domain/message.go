package domain

import (
	"encoding/json"
	"strings"
	"time"
)

// Role says who wrote a message.
type Role string

// The roles. Results of tools are part of the assistant message whose calls
// they answer (see [Message.Calls]), so that no operation on messages can
// separate a call from its result.
const (
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
)

// BlockType says what a block of a message holds.
type BlockType string

// The block types.
const (
	BlockText      BlockType = "text"
	BlockReasoning BlockType = "reasoning"
	BlockToolCall  BlockType = "tool_call"
	BlockImage     BlockType = "image"
	BlockFile      BlockType = "file"
)

// Block is one ordered part of a message. Which fields count depends on Type.
type Block struct {
	Type BlockType `json:"type"`
	// Text is the text, or the readable reasoning.
	Text string `json:"text,omitempty"`
	// Context marks text that Mix put in front of a person's own words (date,
	// state of the repository). Models read it, people do not see it.
	Context bool `json:"context,omitempty"`
	// Opaque is what a vendor wants back unchanged with a reasoning block:
	// Anthropic's signature, or the data of a redacted block.
	Opaque string `json:"opaque,omitempty"`
	// Redacted marks reasoning of which only Opaque exists.
	Redacted bool `json:"redacted,omitempty"`
	// Vendor names the provider that made a reasoning block; only that one
	// gets it back.
	Vendor string `json:"vendor,omitempty"`

	// CallID, Tool and Input are a tool call: the vendor's identifier, the
	// name the model used, and the input as JSON text. Input is what the model
	// wrote and may be invalid JSON.
	CallID string `json:"call_id,omitempty"`
	Tool   string `json:"tool,omitempty"`
	Input  string `json:"input,omitempty"`

	// MediaType, Name and Path describe an image or a file of the session.
	MediaType string `json:"media_type,omitempty"`
	Name      string `json:"name,omitempty"`
	Path      string `json:"path,omitempty"`
}

// FinishReason says why an assistant message ended.
type FinishReason string

// The finish reasons; the first four come from models.
const (
	FinishEndTurn     FinishReason = "end_turn"
	FinishToolUse     FinishReason = "tool_use"
	FinishMaxTokens   FinishReason = "max_tokens"
	FinishRefusal     FinishReason = "refusal"
	FinishMaxSteps    FinishReason = "max_steps"
	FinishMaxCost     FinishReason = "max_cost"
	FinishCanceled    FinishReason = "canceled"
	FinishInterrupted FinishReason = "interrupted"
	FinishError       FinishReason = "error"
	FinishUnknown     FinishReason = "unknown"
)

// Message is one turn of a person or of the model.
type Message struct {
	ID        string
	SessionID string
	RunID     string
	// Seq orders the messages of a session, from 1, without gaps that mean
	// anything. A message that waits in the queue has no place yet: Seq 0.
	Seq    int64
	Role   Role
	Blocks []Block
	// Calls are the journal rows of this message's tool-call blocks, in the
	// order of the blocks. They are stored apart and joined when read.
	Calls []ToolCall

	Model           string
	FinishReason    FinishReason
	ReasoningMillis int64
	Usage           Usage
	CostUSD         float64
	CostUnknown     bool
	// EventSeq is the session's event number up to which a subscriber has seen
	// this message whole; replay falls back on it when segments are gone.
	EventSeq int64

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Text returns the text blocks of m that people see, joined without a
// separator.
func (m *Message) Text() string { return m.join(BlockText) }

// Reasoning returns the readable reasoning of m.
func (m *Message) Reasoning() string { return m.join(BlockReasoning) }

func (m *Message) join(t BlockType) string {
	var b strings.Builder
	for i := range m.Blocks {
		if m.Blocks[i].Type == t && !m.Blocks[i].Context {
			b.WriteString(m.Blocks[i].Text)
		}
	}
	return b.String()
}

// Call returns the journal row of the tool call with the given vendor
// identifier, or nil.
func (m *Message) Call(callID string) *ToolCall {
	for i := range m.Calls {
		if m.Calls[i].CallID == callID {
			return &m.Calls[i]
		}
	}
	return nil
}

// CallState is where a tool call is on its way.
type CallState string

// The states of a tool call. A call that reached [CallStarted] is never
// started again, not even by a new process.
const (
	CallProposed    CallState = "proposed"
	CallAsked       CallState = "asked"
	CallAllowed     CallState = "allowed"
	CallDenied      CallState = "denied"
	CallStarted     CallState = "started"
	CallFinished    CallState = "finished"
	CallFailed      CallState = "failed"
	CallInterrupted CallState = "interrupted"
)

// Ended reports whether no further state follows s.
func (s CallState) Ended() bool {
	return s == CallDenied || s == CallFinished || s == CallFailed || s == CallInterrupted
}

// ToolCall is a row of the journal: one call of a tool and what became of it.
type ToolCall struct {
	ID        string // ours, unique everywhere; events and requests name it
	CallID    string // the vendor's, unique within its message
	SessionID string
	RunID     string
	MessageID string
	Index     int // place within the message's calls, from 0
	// Tool is the canonical name, also where the model used an alias.
	Tool  string
	Input json.RawMessage // valid JSON; "{}" where the model's was not
	State CallState
	// RequestID names the permission request and with it the decision.
	RequestID string

	// Result is the tool's typed output as JSON text, Text what the model
	// reads. Both are empty until the call ended.
	Result  json.RawMessage
	Text    string
	IsError bool

	StartedAt time.Time
	EndedAt   time.Time
	CreatedAt time.Time
}

// Usage counts tokens as the vendor reported them. Input excludes what came
// from or went to the cache; Output includes Reasoning.
type Usage struct {
	Input      int64 `json:"input"`
	Output     int64 `json:"output"`
	CacheRead  int64 `json:"cache_read"`
	CacheWrite int64 `json:"cache_write"`
	Reasoning  int64 `json:"reasoning"`
}

// Add returns the sum of u and v.
func (u Usage) Add(v Usage) Usage {
	return Usage{
		Input:      u.Input + v.Input,
		Output:     u.Output + v.Output,
		CacheRead:  u.CacheRead + v.CacheRead,
		CacheWrite: u.CacheWrite + v.CacheWrite,
		Reasoning:  u.Reasoning + v.Reasoning,
	}
}

// Prompt is the number of tokens that the model read.
func (u Usage) Prompt() int64 { return u.Input + u.CacheRead + u.CacheWrite }

// Total is the number of tokens that the model read and wrote.
func (u Usage) Total() int64 { return u.Prompt() + u.Output }
