package mix

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Prompt is a message to the agent.
type Prompt struct {
	Text          string `json:"text"`
	PlanMode      bool   `json:"plan_mode,omitempty"`
	ThinkingLevel string `json:"thinking_level,omitempty"` // off, basic, medium, maximum
	MaxSteps      int    `json:"max_steps,omitempty"`
	// Approver says that a person reads the stream and can answer requests.
	Approver bool `json:"-"`
	// IdempotencyKey makes a prompt that is sent twice run once. If empty, a
	// new one is made for each call.
	IdempotencyKey string `json:"-"`
}

// header carries the caller's key, where there is one.
func (p *Prompt) header() http.Header {
	h := http.Header{}
	if p.IdempotencyKey != "" {
		h.Set("Idempotency-Key", p.IdempotencyKey)
	}
	return h
}

// Submitted is a prompt that the server has on disk, and the events of its run.
type Submitted struct {
	*EventStream
	RunID     string
	MessageID string
}

// Submit sends a prompt and streams its run until it ends. Closing the stream
// does not stop the run; [Mix.Cancel] does.
func (m *Mix) Submit(ctx context.Context, session string, p Prompt) (*Submitted, error) {
	h := p.header()
	h.Set("Accept", "text/event-stream")
	resp, err := m.send(ctx, http.MethodPost, sessionPath(session, "/submit"), approver(p.Approver), p, h)
	if err != nil {
		return nil, err
	}
	return &Submitted{
		EventStream: newEventStream(resp.Body),
		RunID:       resp.Header.Get("Mix-Run-Id"),
		MessageID:   resp.Header.Get("Mix-Message-Id"),
	}, nil
}

// Sent is a prompt that the server has on disk.
type Sent struct {
	RunID     string `json:"runId"`
	MessageID string `json:"messageId"`
	// Queued: the session works on another prompt; this one waits its turn.
	Queued bool `json:"queued"`
	// LastEventID is the number of the session's last event before the prompt:
	// who asks for events after it ([EventOptions]) sees the whole run.
	LastEventID int64 `json:"eventSeq"`
}

// Send sends a prompt and returns at once; its events come on [Mix.Events].
func (m *Mix) Send(ctx context.Context, session string, p Prompt) (Sent, error) {
	return ask[Sent](ctx, m, http.MethodPost, sessionPath(session, "/messages"), nil, p, p.header())
}

// EventOptions say where a stream begins.
type EventOptions struct {
	// LastEventID is the number of the last event that was seen; events after
	// it are sent first. Nil: only what comes from now on.
	LastEventID *int64
	// Approver says that a person reads the stream and can answer requests.
	Approver bool
}

// Events streams everything that happens in a session.
func (m *Mix) Events(ctx context.Context, session string, o EventOptions) (*EventStream, error) {
	h := http.Header{"Accept": {"text/event-stream"}}
	if o.LastEventID != nil {
		h.Set("Last-Event-ID", strconv.FormatInt(*o.LastEventID, 10))
	}
	resp, err := m.send(ctx, http.MethodGet, sessionPath(session, "/events"), approver(o.Approver), nil, h)
	if err != nil {
		return nil, err
	}
	return newEventStream(resp.Body), nil
}

func approver(yes bool) url.Values {
	if !yes {
		return nil
	}
	return url.Values{"approver": {"1"}}
}

// Cancel stops what the session is doing and returns when it has stopped.
func (m *Mix) Cancel(ctx context.Context, session string) error {
	return m.do(ctx, http.MethodPost, sessionPath(session, "/cancel"), nil)
}

// Answer is what a person says to a request. All fields may be empty.
type Answer struct {
	Scope  string          `json:"scope,omitempty"` // once, session, project
	Rule   string          `json:"rule,omitempty"`  // saved with a wider scope
	Reason string          `json:"reason,omitempty"`
	Input  json.RawMessage `json:"input,omitempty"` // replaces the call's input
}

// Grant allows a request.
func (m *Mix) Grant(ctx context.Context, request string, a Answer) error {
	return m.do(ctx, http.MethodPost, "/api/permissions/"+url.PathEscape(request)+"/grant", a)
}

// Deny refuses a request.
func (m *Mix) Deny(ctx context.Context, request string, a Answer) error {
	return m.do(ctx, http.MethodPost, "/api/permissions/"+url.PathEscape(request)+"/deny", a)
}

// AuditRow is a request to the gate and what was decided.
type AuditRow struct {
	ID          string          `json:"id"`
	SessionID   string          `json:"sessionId"`
	SessionName string          `json:"sessionName,omitempty"`
	RunID       string          `json:"runId,omitempty"`
	CallID      string          `json:"callId,omitempty"`
	Tool        string          `json:"toolName"`
	Capability  string          `json:"capability"`
	Target      string          `json:"target"`
	Description string          `json:"description"`
	Input       json.RawMessage `json:"input,omitempty"`
	Asked       bool            `json:"asked"`
	Reason      string          `json:"reason,omitempty"`
	CreatedAt   time.Time       `json:"createdAt"`
	Decision    *Decision       `json:"decision,omitempty"`
}

// Decision ends a request.
type Decision struct {
	Outcome   string    `json:"outcome"` // allow, deny, expired, withdrawn
	By        string    `json:"by"`
	Rule      string    `json:"rule,omitempty"`
	Scope     string    `json:"scope,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
}

// Audit lists requests and decisions, newest first. An empty session means
// those of all; limit 0 means the server's.
func (m *Mix) Audit(ctx context.Context, session string, limit int) ([]AuditRow, error) {
	q := url.Values{}
	if session != "" {
		q.Set("session", session)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return ask[[]AuditRow](ctx, m, http.MethodGet, "/api/audit", q, nil, nil)
}

// Explanation says what the gate thinks of a call.
type Explanation struct {
	Outcome  string `json:"outcome"` // allow, deny, ask
	By       string `json:"by,omitempty"`
	Rule     string `json:"rule,omitempty"`
	Reason   string `json:"reason,omitempty"`
	ReadOnly bool   `json:"readOnly"`
	Suggest  string `json:"suggest,omitempty"` // the rule that "always" would save
	Steps    []Step `json:"steps"`
}

// Step is what the gate thinks of one part of a call.
type Step struct {
	Part    string `json:"part"`
	Outcome string `json:"outcome"`
	By      string `json:"by,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// Explain asks what the gate would say of a call like "Bash(git status)" in a
// session. Nothing is run.
func (m *Mix) Explain(ctx context.Context, session, call string) (Explanation, error) {
	return ask[Explanation](ctx, m, http.MethodPost, sessionPath(session, "/explain"), nil, map[string]string{"call": call}, nil)
}

// ExplainFor is Explain for a session that does not exist: one that the spec
// would make. The spec needs a Directory.
func (m *Mix) ExplainFor(ctx context.Context, spec SessionSpec, call string) (Explanation, error) {
	in := struct {
		Call    string      `json:"call"`
		Session SessionSpec `json:"session"`
	}{call, spec}
	return ask[Explanation](ctx, m, http.MethodPost, "/api/permissions/explain", nil, in, nil)
}

// Health is what a server says of itself to anybody.
type Health struct {
	Status   string `json:"status"`
	Version  string `json:"version"`
	Instance string `json:"instance"`
}

// Health asks whether the server is there.
func (m *Mix) Health(ctx context.Context) (Health, error) {
	return ask[Health](ctx, m, http.MethodGet, "/health", nil, nil, nil)
}
