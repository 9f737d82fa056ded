package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mixagent/mix/internal/domain"
)

// FieldError says which field of a request is wrong and why. It becomes a 400
// of type validation_error.
type FieldError struct {
	Field  string // as it is spelled in the request; "body" for the whole
	Reason string
}

// Error names the field, then the reason.
func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

func invalid(field, format string, args ...any) error {
	return &FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// Decode reads the one JSON object of a request's body into v. Unknown keys
// are skipped. What is wrong with the JSON comes back as a [*FieldError];
// errors of r itself (a body that is too large) are returned as they are.
func Decode(r io.Reader, v any) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return invalid("body", "is empty, but a JSON object is needed")
	}
	err = json.Unmarshal(data, v)
	var field *FieldError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil && bytes.HasPrefix(bytes.TrimSpace(data), []byte("null")):
		return invalid("body", "is null, but a JSON object is needed")
	case err == nil:
		return nil
	case errors.As(err, &field):
		return field
	case errors.As(err, &kind) && kind.Field != "":
		return invalid(kind.Field, "must not be a JSON %s", kind.Value)
	case errors.As(err, &kind):
		return invalid("body", "is a JSON %s, but an object is needed", kind.Value)
	}
	return invalid("body", "is not valid JSON: %v", err)
}

// Bounds of what a request may bring.
const (
	maxTitle         = 200 // characters; longer titles are cut, not refused
	maxPromptReplace = 102_400
	maxPromptAppend  = 51_200
)

// CreateSessionRequest is the body of POST /api/sessions: the contract's keys,
// those that only the TypeScript client knows (modelId, provider), and ours.
type CreateSessionRequest struct {
	Title              string             `json:"title"`
	BrowserMode        domain.BrowserMode `json:"browserMode"`
	CdpURL             string             `json:"cdpUrl"`
	PromptMode         domain.PromptMode  `json:"promptMode"`
	CustomSystemPrompt string             `json:"customSystemPrompt"`
	SessionType        string             `json:"sessionType"`
	SubagentType       string             `json:"subagentType"`
	Callbacks          []domain.Callback  `json:"callbacks"`
	ModelID            string             `json:"modelId"`
	Provider           string             `json:"provider"`

	// ProjectPath is the directory the session works in. Naming one makes the
	// title optional: it then follows from the first message.
	ProjectPath string `json:"project_path"`
	// Model is "PROVIDER/MODEL", in one word.
	Model          string                `json:"model_id"`
	PermissionMode domain.PermissionMode `json:"permission_mode"`
	Allow          []string              `json:"allow"`
	Deny           []string              `json:"deny"`
	Trust          bool                  `json:"trust"`
	MaxSteps       int                   `json:"max_steps"`
	MaxCost        float64               `json:"max_cost"`
	// GrantDirectory records the grant of reads below the directory, as a
	// person gives it who starts Mix there.
	GrantDirectory bool `json:"grant_directory"`
}

// Validate checks the request and fills in what may be left out: the browser
// mode (clients before 0.2.1 do not know it), the prompt mode, the session
// type and the names of callbacks. A title that is too long is cut.
func (r *CreateSessionRequest) Validate() error {
	r.Title = cutRunes(strings.TrimSpace(r.Title), maxTitle)
	if r.Title == "" && r.ProjectPath == "" {
		return invalid("title", "is required and must not be empty")
	}
	if r.SessionType == "" {
		r.SessionType = string(domain.SessionMain)
	}
	if r.SessionType != string(domain.SessionMain) {
		return invalid("sessionType", "must be %q; only the Task tool starts other sessions", domain.SessionMain)
	}
	if r.SubagentType != "" {
		return invalid("subagentType", "must be left out; only the Task tool starts sub-agents")
	}
	for _, check := range []func() error{r.validateBrowser, r.validatePrompt, r.validateModel, r.validatePolicy} {
		if err := check(); err != nil {
			return err
		}
	}
	return ValidateCallbacks(r.Callbacks)
}

func (r *CreateSessionRequest) validateBrowser() error {
	if r.BrowserMode == "" {
		r.BrowserMode = domain.BrowserElectron
	}
	if !r.BrowserMode.Valid() {
		return invalid("browserMode", "%q is none of %s, %s, %s", r.BrowserMode,
			domain.BrowserElectron, domain.BrowserLocal, domain.BrowserRemoteCDP)
	}
	if r.BrowserMode != domain.BrowserRemoteCDP {
		r.CdpURL = ""
		return nil
	}
	if !strings.HasPrefix(r.CdpURL, "ws://") && !strings.HasPrefix(r.CdpURL, "wss://") {
		return invalid("cdpUrl", "must begin with ws:// or wss:// when browserMode is %s", r.BrowserMode)
	}
	return nil
}

func (r *CreateSessionRequest) validatePrompt() error {
	limit := 0
	switch r.PromptMode {
	case "", domain.PromptDefault:
		r.PromptMode, r.CustomSystemPrompt = domain.PromptDefault, ""
		return nil
	case domain.PromptAppend:
		limit = maxPromptAppend
	case domain.PromptReplace:
		limit = maxPromptReplace
	default:
		return invalid("promptMode", "%q is none of default, append, replace", r.PromptMode)
	}
	if len(r.CustomSystemPrompt) > limit {
		return invalid("customSystemPrompt", "has %d bytes, but at most %d are allowed with promptMode %s",
			len(r.CustomSystemPrompt), limit, r.PromptMode)
	}
	return nil
}

func (r *CreateSessionRequest) validateModel() error {
	if r.Provider != "" && r.ModelID == "" {
		return invalid("modelId", "is required when provider is given")
	}
	if r.ModelID != "" && r.Model == "" {
		r.Model = r.ModelID
		if r.Provider != "" && !strings.HasPrefix(r.ModelID, r.Provider+"/") {
			r.Model = r.Provider + "/" + r.ModelID
		}
	}
	return nil
}

func (r *CreateSessionRequest) validatePolicy() error {
	if r.PermissionMode != "" && !r.PermissionMode.Valid() {
		return invalid("permission_mode", "%q is none of ask, ask-all, accept-edits, auto, plan", r.PermissionMode)
	}
	if r.MaxSteps < 0 {
		return invalid("max_steps", "must not be negative")
	}
	if r.MaxCost < 0 {
		return invalid("max_cost", "must not be negative")
	}
	for _, list := range []struct {
		field string
		rules []string
	}{{"allow", r.Allow}, {"deny", r.Deny}} {
		if slices.ContainsFunc(list.rules, func(s string) bool { return strings.TrimSpace(s) == "" }) {
			return invalid(list.field, "must not hold an empty rule")
		}
	}
	return nil
}

// Policy returns the part of the request that binds the session's runs.
func (r *CreateSessionRequest) Policy() domain.Policy {
	return domain.Policy{
		Mode: r.PermissionMode, Allow: r.Allow, Deny: r.Deny, Trust: r.Trust,
		MaxSteps: r.MaxSteps, MaxCostUSD: r.MaxCost,
	}
}

// UpdateCallbacksRequest is the body of PATCH /api/sessions/{id}/callbacks.
type UpdateCallbacksRequest struct {
	// Callbacks replaces the whole list; null and [] empty it.
	Callbacks []domain.Callback `json:"callbacks"`
}

// Validate checks the callbacks.
func (r *UpdateCallbacksRequest) Validate() error { return ValidateCallbacks(r.Callbacks) }

// ValidateCallbacks checks callbacks and clears the keys that do not belong to
// their type: published clients always send the defaults of all types.
func ValidateCallbacks(list []domain.Callback) error {
	for i := range list {
		c := &list[i]
		field := func(name string) string { return fmt.Sprintf("callbacks[%d].%s", i, name) }
		if strings.TrimSpace(c.ToolName) == "" {
			return invalid(field("toolName"), "is required: a tool's name or *")
		}
		switch c.Type {
		case "bash_script":
			if strings.TrimSpace(c.BashCommand) == "" {
				return invalid(field("bashCommand"), "is required for a bash_script")
			}
			if c.BashTimeoutMillis < 0 {
				return invalid(field("bashTimeout"), "must not be negative")
			}
		case "sub_agent":
			if strings.TrimSpace(c.SubAgentPrompt) == "" {
				return invalid(field("subAgentPrompt"), "is required for a sub_agent")
			}
		case "send_message":
			if strings.TrimSpace(c.MessageContent) == "" {
				return invalid(field("messageContent"), "is required for a send_message")
			}
			if c.ExcludeFromContext {
				return invalid(field("excludeFromContext"), "cannot be true for a send_message")
			}
		default:
			return invalid(field("type"), "%q is none of bash_script, sub_agent, send_message", c.Type)
		}
	}
	return nil
}

// Thinking is a field that may be absent, null or an effort: the first two
// leave the choice to the words of the message.
type Thinking struct{ Effort domain.Effort }

// UnmarshalJSON accepts null and the contract's four words.
func (t *Thinking) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		t.Effort = domain.EffortDefault
		return nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return invalid("thinking_level", "must be a string or null")
	}
	switch e := domain.Effort(s); e {
	case domain.EffortOff, domain.EffortBasic, domain.EffortMedium, domain.EffortMaximum:
		t.Effort = e
		return nil
	}
	return invalid("thinking_level", "%q is none of off, basic, medium, maximum", s)
}

// SendMessageRequest is the body of POST /api/sessions/{id}/messages and of
// /submit.
type SendMessageRequest struct {
	Text          string   `json:"text"`
	PlanMode      bool     `json:"plan_mode"`
	ThinkingLevel Thinking `json:"thinking_level"`
	// MaxSteps bounds the model calls of this message; nil: the session's.
	MaxSteps *int `json:"max_steps"`
}

// Validate checks the message.
func (r *SendMessageRequest) Validate() error {
	if strings.TrimSpace(r.Text) == "" {
		return invalid("text", "is required and must not be empty")
	}
	if r.MaxSteps != nil && *r.MaxSteps < 1 {
		return invalid("max_steps", "must be at least 1")
	}
	return nil
}

// AnswerRequest is the optional body of grant and deny. Without one, the
// answer holds once.
type AnswerRequest struct {
	Scope domain.Scope `json:"scope"`
	// Rule is the rule that a session or project scope saves; "" means the one
	// that was suggested.
	Rule   string          `json:"rule"`
	Reason string          `json:"reason"`
	Input  json.RawMessage `json:"input"` // replaces the call's input; an object
}

// Validate checks the answer and fills in the scope.
func (r *AnswerRequest) Validate() error {
	switch r.Scope {
	case "":
		r.Scope = domain.ScopeOnce
	case domain.ScopeOnce, domain.ScopeSession, domain.ScopeProject:
	default:
		return invalid("scope", "%q is none of once, session, project", r.Scope)
	}
	if bytes.Equal(r.Input, []byte("null")) {
		r.Input = nil
	}
	if r.Input != nil && !isObject(r.Input) {
		return invalid("input", "must be a JSON object")
	}
	return nil
}

func cutRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
