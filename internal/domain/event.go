package domain

import (
	"encoding/json"
	"time"
)

// EventType is the name of an event, as subscribers see it.
type EventType string

// The events of the contract; "connected" and "heartbeat", the other two of
// its 16, belong to a connection and are never in the log.
const (
	EventUserMessage   EventType = "user_message_created"
	EventThinking      EventType = "thinking"
	EventContent       EventType = "content"
	EventToolUse       EventType = "tool_use_start"
	EventToolInput     EventType = "tool_use_parameter_delta"
	EventToolInputDone EventType = "tool_use_parameter_streaming_complete"
	EventToolStart     EventType = "tool_execution_start"
	EventToolComplete  EventType = "tool_execution_complete"
	EventPermission    EventType = "permission"
	EventNotification  EventType = "notification"
	EventComplete      EventType = "complete"
	EventError         EventType = "error"
	EventSessionNew    EventType = "session_created"
	EventSessionGone   EventType = "session_deleted"
)

// Mix's own events; only the own stream carries them.
const (
	EventOutput   EventType = "tool_output"
	EventResult   EventType = "tool_result"
	EventUsage    EventType = "usage"
	EventResolved EventType = "request_resolved"
	EventRun      EventType = "run"
	EventQueue    EventType = "queue"
	EventTitle    EventType = "title"
	EventMode     EventType = "mode"
)

// Event is something that happened in a session. The types below are all of
// them. The log numbers an event when it is appended; an event does not carry
// its number.
type Event interface{ EventType() EventType }

// UserMessage: a user message was stored.
type UserMessage struct{ MessageID, Content, ParentToolCallID string }

// Thinking is a piece of the model's reasoning.
type Thinking struct{ MessageID, Content, ParentToolCallID string }

// Content is a piece of the model's answer.
type Content struct{ MessageID, Content, ParentToolCallID string }

// ToolUse: the model began a tool call. CallID is [ToolCall.ID].
type ToolUse struct{ CallID, Tool, MessageID, ParentToolCallID string }

// ToolInput is a piece of a tool call's input, as the model writes it.
type ToolInput struct{ CallID, Input, MessageID, ParentToolCallID string }

// ToolInputDone: the input of a tool call is whole.
type ToolInputDone struct{ CallID, Tool, Input, MessageID, ParentToolCallID string }

// ToolStart: a tool call was allowed and starts.
type ToolStart struct{ CallID, Tool, Progress, ParentToolCallID string }

// ToolComplete: a tool call ended, well or not, or was denied.
type ToolComplete struct {
	CallID, Tool, Progress string
	Success                bool
	ParentToolCallID       string
}

// PermissionAsked: a tool call waits for a person.
type PermissionAsked struct {
	RequestID, SessionID, Tool string
	Description, Action, Path  string
	Params                     json.RawMessage // a JSON object
	ParentToolCallID           string
	// Own stream only: what the person needs to decide well.
	CallID, Reason, Rule, Diff string
	ExpiresAt                  time.Time // zero: waits without limit
}

// Complete ends every run, also failed and cancelled ones.
type Complete struct {
	Content, MessageID, Reasoning string
	ReasoningMillis               int64
	RunID                         string
	State                         RunState
	Reason                        string
	ParentToolCallID              string
}

// Failure reports an error to people. With Attempt > 0 it announces a retry
// and the run goes on.
type Failure struct {
	Message, Type        string
	RetryAfter           time.Duration
	Attempt, MaxAttempts int
	ParentToolCallID     string
}

// SessionNew: the session was created; always its first event.
type SessionNew struct {
	SessionID, Title string
	CreatedAt        time.Time
}

// SessionGone: the session was deleted; always its last event.
type SessionGone struct{ SessionID string }

// Output is live output of a running tool call; lossy: pieces may be left out
// when a command prints faster than people read.
type Output struct{ CallID, Text, ParentToolCallID string }

// Result tells the own stream what a call returned.
type Result struct {
	CallID, Tool     string
	Text             string
	Result           json.RawMessage
	IsError          bool
	State            CallState
	ParentToolCallID string
}

// UsageReport is the use of one model call and of the session so far.
type UsageReport struct {
	MessageID, Model  string
	Usage             Usage
	CostUSD           float64
	CostUnknown       bool
	SessionUsage      Usage
	SessionCostUSD    float64
	CostUnknownInPart bool
}

// Resolved: a request was answered, expired or withdrawn.
type Resolved struct {
	RequestID, CallID string
	Outcome           Outcome
	By, Rule, Reason  string
}

// RunChanged: a run changed its state.
type RunChanged struct {
	RunID, MessageID string
	State            RunState
	Reason, Error    string
}

// QueueChanged: so many messages wait.
type QueueChanged struct{ Waiting []string } // message identifiers in order

// TitleChanged: the session has a new title.
type TitleChanged struct{ Title string }

// ModeChanged: the session has a new permission mode.
type ModeChanged struct{ Mode PermissionMode }

// EventType names the event.
func (UserMessage) EventType() EventType { return EventUserMessage }

// EventType names the event.
func (Thinking) EventType() EventType { return EventThinking }

// EventType names the event.
func (Content) EventType() EventType { return EventContent }

// EventType names the event.
func (ToolUse) EventType() EventType { return EventToolUse }

// EventType names the event.
func (ToolInput) EventType() EventType { return EventToolInput }

// EventType names the event.
func (ToolInputDone) EventType() EventType { return EventToolInputDone }

// EventType names the event.
func (ToolStart) EventType() EventType { return EventToolStart }

// EventType names the event.
func (ToolComplete) EventType() EventType { return EventToolComplete }

// EventType names the event.
func (PermissionAsked) EventType() EventType { return EventPermission }

// EventType names the event.
func (Complete) EventType() EventType { return EventComplete }

// EventType names the event.
func (Failure) EventType() EventType { return EventError }

// EventType names the event.
func (SessionNew) EventType() EventType { return EventSessionNew }

// EventType names the event.
func (SessionGone) EventType() EventType { return EventSessionGone }

// EventType names the event.
func (Output) EventType() EventType { return EventOutput }

// EventType names the event.
func (Result) EventType() EventType { return EventResult }

// EventType names the event.
func (UsageReport) EventType() EventType { return EventUsage }

// EventType names the event.
func (Resolved) EventType() EventType { return EventResolved }

// EventType names the event.
func (RunChanged) EventType() EventType { return EventRun }

// EventType names the event.
func (QueueChanged) EventType() EventType { return EventQueue }

// EventType names the event.
func (TitleChanged) EventType() EventType { return EventTitle }

// EventType names the event.
func (ModeChanged) EventType() EventType { return EventMode }
