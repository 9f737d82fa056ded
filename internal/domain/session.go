package domain

import "time"

// SessionKind tells a conversation of a person or program from one that a tool
// call started.
type SessionKind string

// The kinds of session.
const (
	SessionMain     SessionKind = "main"
	SessionSubagent SessionKind = "subagent"
)

// BrowserMode says which browser a session's browser tools would use.
type BrowserMode string

// The browser modes of the contract.
const (
	BrowserElectron  BrowserMode = "electron-embedded-browser"
	BrowserLocal     BrowserMode = "local-browser-service"
	BrowserRemoteCDP BrowserMode = "remote-cdp-websocket"
)

// Valid reports whether m is one of the contract's modes.
func (m BrowserMode) Valid() bool {
	return m == BrowserElectron || m == BrowserLocal || m == BrowserRemoteCDP
}

// PromptMode says how a session's own system prompt is used.
type PromptMode string

// The prompt modes of the contract.
const (
	PromptDefault PromptMode = "default" // the custom prompt is ignored
	PromptAppend  PromptMode = "append"  // it follows Mix's own
	PromptReplace PromptMode = "replace" // it stands instead of Mix's own
)

// PermissionMode says what the gate does with a call that no rule answers.
type PermissionMode string

// The permission modes. The zero value "" means [ModeAsk].
const (
	ModeAsk         PermissionMode = "ask"          // reads in the directory run under a grant, all else asks
	ModeAskAll      PermissionMode = "ask-all"      // everything asks
	ModeAcceptEdits PermissionMode = "accept-edits" // also file edits in the directory run
	ModeAuto        PermissionMode = "auto"         // all but destructive and protected runs
	ModePlan        PermissionMode = "plan"         // only reads run, everything else is denied
)

// PermissionModes lists the modes in the order a person cycles through them.
var PermissionModes = [...]PermissionMode{ModeAsk, ModeAcceptEdits, ModePlan, ModeAuto, ModeAskAll}

// Valid reports whether m is one of the modes.
func (m PermissionMode) Valid() bool {
	for _, v := range PermissionModes {
		if m == v {
			return true
		}
	}
	return false
}

// Policy is what a session was started with: the limits and rules that bind
// all its runs. It is stored with the session, so it survives a restart.
type Policy struct {
	Mode PermissionMode `json:"mode,omitempty"`
	// Allow and Deny are rules like "Bash(git diff:*)", from flags.
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
	// Trust says that the person vouches for what the directory brings.
	Trust bool `json:"trust,omitempty"`
	// MaxSteps bounds the model calls of a run; 0 means the default, 25.
	MaxSteps int `json:"max_steps,omitempty"`
	// MaxCostUSD bounds what the session may cost; 0 means no bound.
	MaxCostUSD float64 `json:"max_cost,omitempty"`
}

// Callback is an action that follows a finished tool call of a session.
type Callback struct {
	ToolName           string `json:"toolName"`
	Type               string `json:"type"`
	Name               string `json:"name,omitempty"`
	BashCommand        string `json:"bashCommand,omitempty"`
	BashTimeoutMillis  int64  `json:"bashTimeout,omitempty"`
	SubAgentPrompt     string `json:"subAgentPrompt,omitempty"`
	SubAgentType       string `json:"subAgentType,omitempty"`
	IncludeFullHistory bool   `json:"includeFullHistory,omitempty"`
	MessageContent     string `json:"messageContent,omitempty"`
	ExcludeFromContext bool   `json:"excludeFromContext,omitempty"`
}

// Session is a conversation with a directory, a model and a policy.
type Session struct {
	ID    string
	Kind  SessionKind
	Title string
	// TitleGiven is true when a person or program chose the title; otherwise
	// it is derived from the first user message after the first answer.
	TitleGiven bool

	ParentSessionID  string // of a sub-agent's session, else ""
	ParentToolCallID string
	SubagentType     string

	// Directory is where the session's tools work: absolute, symbolic links
	// resolved, never the home directory or "/".
	Directory string
	// Model is "PROVIDER/MODEL".
	Model  string
	Policy Policy

	BrowserMode  BrowserMode
	CdpURL       string
	Callbacks    []Callback
	PromptMode   PromptMode
	CustomPrompt string
	// SystemPrompt is composed once, before the first model call, and then
	// never changes: vendors cache requests by their prefix.
	SystemPrompt string

	FirstUserMessage  string
	MessageCount      int64 // user and assistant messages
	UserMessages      int64
	AssistantMessages int64
	ToolCalls         int64
	Usage             Usage
	// CostUSD is the sum over messages with a known price.
	CostUSD float64
	// CostUnknown is true once an answer came from a model without a price.
	CostUnknown bool

	CreatedAt time.Time
	UpdatedAt time.Time
}
