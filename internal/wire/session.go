package wire

import (
	"strings"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// SessionData is the contract's schema of that name, with keys of our own
// behind it.
type SessionData struct {
	ID                    string             `json:"id"`
	Title                 string             `json:"title"`
	SessionType           domain.SessionKind `json:"sessionType"`
	SubagentType          string             `json:"subagentType,omitempty"`
	ParentSessionID       string             `json:"parentSessionId,omitempty"`
	ParentToolCallID      string             `json:"parentToolCallId,omitempty"`
	BrowserMode           domain.BrowserMode `json:"browserMode"`
	CdpURL                string             `json:"cdpUrl,omitempty"`
	UserMessageCount      int64              `json:"userMessageCount"`
	AssistantMessageCount int64              `json:"assistantMessageCount"`
	ToolCallCount         int64              `json:"toolCallCount"`
	PromptTokens          int64              `json:"promptTokens"`
	CompletionTokens      int64              `json:"completionTokens"`
	Cost                  float64            `json:"cost"`
	CreatedAt             time.Time          `json:"createdAt"`
	FirstUserMessage      string             `json:"firstUserMessage,omitempty"`
	Callbacks             []Callback         `json:"callbacks,omitempty"`
	ModelID               string             `json:"modelId,omitempty"`
	Provider              string             `json:"provider,omitempty"`

	SessionID        string                `json:"session_id"`
	ProjectPath      string                `json:"project_path,omitempty"`
	PermissionMode   domain.PermissionMode `json:"permissionMode"`
	TitleGiven       bool                  `json:"titleGiven"`
	AgentType        string                `json:"agentType,omitempty"` // a sub-agent's, in any word
	MessageCount     int64                 `json:"messageCount"`
	CacheReadTokens  int64                 `json:"cacheReadTokens"`
	CacheWriteTokens int64                 `json:"cacheCreationTokens"`
	// CostUnknown: an answer came from a model without a price, so that the
	// cost is a lower bound.
	CostUnknown bool      `json:"costUnknown"`
	MaxSteps    int       `json:"maxSteps,omitempty"`
	MaxCost     float64   `json:"maxCost,omitempty"`
	UpdatedAt   time.Time `json:"updatedAt"`
}

// subagentType is the only word that published clients can decode.
const subagentType = "general-purpose"

// NewSessionData converts a session.
func NewSessionData(s *domain.Session) SessionData {
	provider, model, ok := strings.Cut(s.Model, "/")
	if !ok {
		provider, model = "", s.Model
	}
	d := SessionData{
		ID: s.ID, SessionID: s.ID, Title: s.Title, TitleGiven: s.TitleGiven,
		SessionType: s.Kind, BrowserMode: s.BrowserMode,
		UserMessageCount: s.UserMessages, AssistantMessageCount: s.AssistantMessages,
		MessageCount: s.MessageCount, ToolCallCount: s.ToolCalls,
		PromptTokens: s.Usage.Prompt(), CompletionTokens: s.Usage.Output,
		CacheReadTokens: s.Usage.CacheRead, CacheWriteTokens: s.Usage.CacheWrite,
		Cost: s.CostUSD, CostUnknown: s.CostUnknown,
		CreatedAt: stamp(s.CreatedAt), UpdatedAt: stamp(s.UpdatedAt),
		FirstUserMessage: s.FirstUserMessage, Callbacks: callbacks(s.Callbacks),
		ModelID: model, Provider: provider, ProjectPath: s.Directory,
		PermissionMode: s.Policy.Mode, MaxSteps: s.Policy.MaxSteps, MaxCost: s.Policy.MaxCostUSD,
	}
	if d.SessionType != domain.SessionSubagent {
		d.SessionType = domain.SessionMain
	} else {
		d.ParentSessionID, d.ParentToolCallID = s.ParentSessionID, s.ParentToolCallID
		d.SubagentType, d.AgentType = subagentType, s.SubagentType
	}
	if !d.BrowserMode.Valid() {
		d.BrowserMode = domain.BrowserElectron
	}
	if d.BrowserMode == domain.BrowserRemoteCDP {
		d.CdpURL = s.CdpURL
	}
	if d.PermissionMode == "" {
		d.PermissionMode = domain.ModeAsk
	}
	return d
}

// NewSessions converts a list; an empty one is not nil.
func NewSessions(list []domain.Session) []SessionData {
	out := make([]SessionData, len(list))
	for i := range list {
		out[i] = NewSessionData(&list[i])
	}
	return out
}

// Callback is a callback as it is answered: with the defaults that published
// clients send.
type Callback struct {
	ToolName           string `json:"toolName"`
	Type               string `json:"type"`
	Name               string `json:"name,omitempty"`
	BashCommand        string `json:"bashCommand,omitempty"`
	BashTimeout        int64  `json:"bashTimeout"` // milliseconds
	ExcludeFromContext bool   `json:"excludeFromContext"`
	IncludeFullHistory bool   `json:"includeFullHistory"`
	SubAgentPrompt     string `json:"subAgentPrompt,omitempty"`
	SubAgentType       string `json:"subAgentType"`
	MessageContent     string `json:"messageContent,omitempty"`
}

const defaultBashTimeout = 120_000

func callbacks(list []domain.Callback) []Callback {
	out := make([]Callback, len(list))
	for i, c := range list {
		out[i] = Callback{
			ToolName: c.ToolName, Type: c.Type, Name: c.Name,
			BashCommand: c.BashCommand, BashTimeout: c.BashTimeoutMillis,
			ExcludeFromContext: c.ExcludeFromContext, IncludeFullHistory: c.IncludeFullHistory,
			SubAgentPrompt: c.SubAgentPrompt, SubAgentType: c.SubAgentType, MessageContent: c.MessageContent,
		}
		if out[i].BashTimeout == 0 {
			out[i].BashTimeout = defaultBashTimeout
		}
		if out[i].SubAgentType == "" {
			out[i].SubAgentType = subagentType
		}
	}
	return out
}

// stamp makes a time one that is written with Z.
func stamp(t time.Time) time.Time { return t.UTC().Round(0) }
