package mix

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// SessionSpec describes a session to create. It needs a Title or a Directory;
// all else may be empty, and is then what the server was started with.
type SessionSpec struct {
	// Title is at most 200 characters. If empty, the first answer gives one.
	Title string `json:"title,omitempty"`
	// Directory is where the agent works: an absolute path on the server's
	// machine. If empty, the server's own.
	Directory string `json:"project_path,omitempty"`
	// Model is "PROVIDER/MODEL".
	Model string `json:"model_id,omitempty"`
	// PermissionMode is ask, ask-all, accept-edits, auto or plan.
	PermissionMode string   `json:"permission_mode,omitempty"`
	Allow          []string `json:"allow,omitempty"`
	Deny           []string `json:"deny,omitempty"`
	Trust          bool     `json:"trust,omitempty"`
	MaxSteps       int      `json:"max_steps,omitempty"`
	MaxCost        float64  `json:"max_cost,omitempty"` // US dollars
	// GrantDirectory says that the person who starts this session allows
	// reading below its directory.
	GrantDirectory bool   `json:"grant_directory,omitempty"`
	BrowserMode    string `json:"browserMode,omitempty"`
}

// Session is a conversation.
type Session struct {
	ID                    string    `json:"id"`
	Title                 string    `json:"title"`
	SessionType           string    `json:"sessionType"`
	Directory             string    `json:"project_path"`
	ModelID               string    `json:"modelId"`
	Provider              string    `json:"provider"`
	PermissionMode        string    `json:"permissionMode"`
	CreatedAt             time.Time `json:"createdAt"`
	UpdatedAt             time.Time `json:"updatedAt"`
	FirstUserMessage      string    `json:"firstUserMessage"`
	UserMessageCount      int64     `json:"userMessageCount"`
	AssistantMessageCount int64     `json:"assistantMessageCount"`
	ToolCallCount         int64     `json:"toolCallCount"`
	PromptTokens          int64     `json:"promptTokens"`
	CompletionTokens      int64     `json:"completionTokens"`
	// Cost is in US dollars; with CostUnknown it is a lower bound.
	Cost        float64 `json:"cost"`
	CostUnknown bool    `json:"costUnknown"`
}

// Message is a message of a session, with the calls it made.
type Message struct {
	ID        string `json:"id"`
	SessionID string `json:"sessionId"`
	// Seq orders the messages of a session, from 1; 0 while the message waits
	// for its turn.
	Seq  int64  `json:"sequence"`
	Role string `json:"role"` // user or assistant
	// UserInput is the text of every message; AssistantResponse is the same
	// text, for messages of the assistant only.
	UserInput         string `json:"userInput"`
	AssistantResponse string `json:"assistantResponse"`
	Reasoning         string `json:"reasoning"`
	ReasoningDuration int64  `json:"reasoningDuration"` // milliseconds
	Model             string `json:"model"`
	FinishReason      string `json:"finishReason"`
	RunID             string `json:"runId"`  // the run that it started, or is a part of
	Queued            bool   `json:"queued"` // it waits for its turn
	InputTokens       int64  `json:"inputTokens"`
	OutputTokens      int64  `json:"outputTokens"`
	// Cost is in US dollars; nil where the model's price is not known.
	Cost      *float64   `json:"cost"`
	ToolCalls []ToolCall `json:"toolCalls"`
	CreatedAt time.Time  `json:"createdAt"`
}

// ToolCall is a call that a message made.
type ToolCall struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Input  string `json:"input"`  // JSON text
	Result string `json:"result"` // JSON text
	Text   string `json:"text"`   // what the model read of it
	// State is proposed, asked, allowed, denied, started, finished, failed or
	// interrupted; Finished says that it is one of those that end a call.
	State    string `json:"state"`
	Finished bool   `json:"finished"`
	IsError  bool   `json:"isError"`
}

// CreateSession creates a session.
func (m *Mix) CreateSession(ctx context.Context, spec SessionSpec) (Session, error) {
	return ask[Session](ctx, m, http.MethodPost, "/api/sessions", nil, spec, nil)
}

// SessionFilter narrows a list of sessions.
type SessionFilter struct {
	Directory string // only sessions of this directory
	Limit     int    // 0: the server's limit
}

// Sessions lists sessions, newest first.
func (m *Mix) Sessions(ctx context.Context, f SessionFilter) ([]Session, error) {
	q := url.Values{}
	if f.Directory != "" {
		q.Set("directory", f.Directory)
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return ask[[]Session](ctx, m, http.MethodGet, "/api/sessions", q, nil, nil)
}

// Session returns one session.
func (m *Mix) Session(ctx context.Context, id string) (Session, error) {
	return ask[Session](ctx, m, http.MethodGet, sessionPath(id, ""), nil, nil, nil)
}

// DeleteSession deletes a session with its messages and files.
func (m *Mix) DeleteSession(ctx context.Context, id string) error {
	return m.do(ctx, http.MethodDelete, sessionPath(id, ""), nil)
}

// Page selects messages.
type Page struct {
	Limit     int   // up to 1000; 0: all
	BeforeSeq int64 // only messages before the one with this Seq; 0: the last ones
}

// Messages returns messages of a session in order.
func (m *Mix) Messages(ctx context.Context, id string, p Page) ([]Message, error) {
	q := url.Values{}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	if p.BeforeSeq > 0 {
		q.Set("before", strconv.FormatInt(p.BeforeSeq, 10))
	}
	return ask[[]Message](ctx, m, http.MethodGet, sessionPath(id, "/messages"), q, nil, nil)
}

// Export returns a whole session as the server's JSON.
func (m *Mix) Export(ctx context.Context, id string) (json.RawMessage, error) {
	resp, err := m.send(ctx, http.MethodGet, sessionPath(id, "/export"), nil, nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the export: %w", err)
	}
	return data, nil
}

func sessionPath(id, rest string) string { return "/api/sessions/" + url.PathEscape(id) + rest }
