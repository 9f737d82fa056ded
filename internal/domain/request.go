package domain

import (
	"encoding/json"
	"time"
)

// Outcome is how a request ended.
type Outcome string

// The outcomes.
const (
	OutcomeAllow     Outcome = "allow"
	OutcomeDeny      Outcome = "deny"
	OutcomeExpired   Outcome = "expired"   // nobody could answer in time: denied
	OutcomeWithdrawn Outcome = "withdrawn" // the run was cancelled or interrupted
)

// Scope is how far an answer reaches.
type Scope string

// The scopes.
const (
	ScopeOnce    Scope = "once"
	ScopeSession Scope = "session"
	ScopeProject Scope = "project"
)

// Capability is a kind of effect that a tool call can have.
type Capability string

// The capabilities.
const (
	CanRead     Capability = "read"
	CanWrite    Capability = "write"
	CanExecute  Capability = "execute"
	CanNetwork  Capability = "network"
	CanInteract Capability = "interact" // asks or tells a person, changes the session only
)

// Request is one question to the gate: may this call run? Every call has one,
// also where a rule answers it at once. Rows are only ever added.
type Request struct {
	ID          string
	SessionID   string
	SessionName string // title at the time, since sessions can be deleted
	RunID       string
	CallID      string // [ToolCall.ID]
	Kind        string // "permission"; later "plan", "notification", "question"
	Tool        string
	Capability  Capability
	// Target is the resolved path, the command or the URL.
	Target      string
	Description string
	Input       json.RawMessage
	// Asked is true when a person had to be asked.
	Asked     bool
	Reason    string // why it was asked
	CreatedAt time.Time
}

// Decision ends a request. Rows are only ever added, one for each request.
type Decision struct {
	ID        string
	RequestID string
	SessionID string
	Outcome   Outcome
	// By is who decided: "rule", "mode", "grant", "person", "expiry",
	// "cancel", "recovery", "program".
	By string
	// Rule is the rule, mode or grant that decided, as a person would write it.
	Rule   string
	Scope  Scope
	Reason string
	// Input replaces the call's input, when a person edited it.
	Input     json.RawMessage
	CreatedAt time.Time
}

// Grant is a standing answer.
type Grant struct {
	ID        string
	SessionID string // of session grants
	Project   string // directory, of project grants
	Rule      string // "Read(./**)", "Bash(go test:*)"
	Outcome   Outcome
	RequestID string // the request whose answer it was, "" where none
	CreatedAt time.Time
}
