package wire

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// ErrorType is one of the five words that published clients can decode.
type ErrorType string

// The error types.
const (
	ErrorBadRequest   ErrorType = "bad_request"
	ErrorNotFound     ErrorType = "not_found"
	ErrorInternal     ErrorType = "internal_error"
	ErrorUnauthorized ErrorType = "unauthorized"
	ErrorValidation   ErrorType = "validation_error"
)

// ErrorResponse is the body of every answer that is not a success.
type ErrorResponse struct {
	Error RESTError `json:"error"`
}

// RESTError says what went wrong. Code is the HTTP status.
type RESTError struct {
	Code    int       `json:"code"`
	Message string    `json:"message"`
	Type    ErrorType `json:"type"`
	// Reason is a finer word than Type, for programs: "session_not_found",
	// "already_answered".
	Reason string `json:"reason,omitempty"`
	// Field names the field of the request that is wrong.
	Field string `json:"field,omitempty"`
}

// NewError returns the body for a status, with the type that belongs to it.
func NewError(status int, reason, message string) ErrorResponse {
	t := ErrorBadRequest
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		t = ErrorUnauthorized
	case status == http.StatusNotFound:
		t = ErrorNotFound
	case status >= http.StatusInternalServerError:
		t = ErrorInternal
	}
	return ErrorResponse{Error: RESTError{Code: status, Message: message, Type: t, Reason: reason}}
}

// NewFieldError returns the 400 body for a field of a request.
func NewFieldError(err *FieldError) ErrorResponse {
	return ErrorResponse{Error: RESTError{
		Code: http.StatusBadRequest, Message: err.Error(), Type: ErrorValidation,
		Reason: "invalid_field", Field: err.Field,
	}}
}

// Accepted is the 202 body of a message that is on disk.
type Accepted struct {
	Status    string `json:"status"` // "processing"
	SessionID string `json:"sessionId"`
	MessageID string `json:"messageId,omitempty"`
	RunID     string `json:"runId,omitempty"`
	// EventSeq is the session's last event number before the run: who streams
	// from there sees all of it.
	EventSeq int64 `json:"eventSeq"`
	Queued   bool  `json:"queued"`
}

// NewAccepted converts the run that a message started.
func NewAccepted(r *domain.Run) Accepted {
	return Accepted{
		Status: "processing", SessionID: r.SessionID, MessageID: r.MessageID, RunID: r.ID,
		EventSeq: r.EventSeq, Queued: r.State == domain.RunQueued,
	}
}

// Cancelled is the answer to cancel; cancelling an idle session is a success.
type Cancelled struct {
	Cancelled bool   `json:"cancelled"`
	Status    string `json:"status"` // "cancelled" or "idle"
	SessionID string `json:"sessionId"`
}

// NewCancelled says whether something was running.
func NewCancelled(session string, running bool) Cancelled {
	c := Cancelled{Cancelled: running, Status: "idle", SessionID: session}
	if running {
		c.Status = "cancelled"
	}
	return c
}

// Granted is the answer to grant.
type Granted struct {
	Granted bool `json:"granted"`
	Answered
}

// Denied is the answer to deny.
type Denied struct {
	Denied bool `json:"denied"`
	Answered
}

// Answered is what the answers to grant and deny share.
type Answered struct {
	Status  string       `json:"status"` // "granted" or "denied"
	ID      string       `json:"id"`
	Message string       `json:"message"`
	Scope   domain.Scope `json:"scope,omitempty"`
	Rule    string       `json:"rule,omitempty"`
}

// NewGranted converts a decision that allows.
func NewGranted(d *domain.Decision) Granted {
	return Granted{Granted: true, Answered: Answered{
		Status: "granted", ID: d.RequestID, Message: "The tool call may run.", Scope: d.Scope, Rule: d.Rule,
	}}
}

// NewDenied converts a decision that denies.
func NewDenied(d *domain.Decision) Denied {
	return Denied{Denied: true, Answered: Answered{
		Status: "denied", ID: d.RequestID, Message: "The tool call will not run.", Scope: d.Scope, Rule: d.Rule,
	}}
}

// Health is the answer of GET /health.
type Health struct {
	Status      string         `json:"status"` // "ok"
	Timestamp   time.Time      `json:"timestamp"`
	Version     string         `json:"version"`
	Environment string         `json:"environment"`
	Services    HealthServices `json:"services"`
	// Instance tells one life of a server from the next.
	Instance string `json:"instance,omitempty"`
}

// HealthServices names the parts of the server.
type HealthServices struct {
	Backend  string `json:"backend"`
	Database string `json:"database"`
}

// NewHealth is the answer of a server that works.
func NewHealth(version, instance string, now time.Time) Health {
	return Health{
		Status: "ok", Timestamp: stamp(now), Version: version, Instance: instance,
		Services: HealthServices{Backend: "healthy", Database: "connected"},
	}
}

// AuditRow is one permission request and how it ended.
type AuditRow struct {
	ID          string            `json:"id"`
	SessionID   string            `json:"sessionId"`
	SessionName string            `json:"sessionName"`
	RunID       string            `json:"runId,omitempty"`
	CallID      string            `json:"callId,omitempty"`
	Kind        string            `json:"kind"`
	Tool        string            `json:"toolName"`
	Capability  domain.Capability `json:"capability,omitempty"`
	Target      string            `json:"target,omitempty"`
	Description string            `json:"description,omitempty"`
	Input       json.RawMessage   `json:"input,omitempty"`
	Asked       bool              `json:"asked"` // a person had to be asked
	Reason      string            `json:"reason,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
	Decision    *AuditDecision    `json:"decision,omitempty"` // left out while it waits
}

// AuditDecision ends a request.
type AuditDecision struct {
	ID        string          `json:"id"`
	Outcome   domain.Outcome  `json:"outcome"`
	By        string          `json:"by"`
	Rule      string          `json:"rule,omitempty"`
	Scope     domain.Scope    `json:"scope,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	CreatedAt time.Time       `json:"createdAt"`
}

// NewAuditRow converts a request and its decision, nil while it waits.
func NewAuditRow(r *domain.Request, d *domain.Decision) AuditRow {
	row := AuditRow{
		ID: r.ID, SessionID: r.SessionID, SessionName: r.SessionName, RunID: r.RunID, CallID: r.CallID,
		Kind: r.Kind, Tool: r.Tool, Capability: r.Capability, Target: r.Target,
		Description: r.Description, Input: optionalJSON(r.Input), Asked: r.Asked, Reason: r.Reason,
		CreatedAt: stamp(r.CreatedAt),
	}
	if d != nil {
		row.Decision = &AuditDecision{
			ID: d.ID, Outcome: d.Outcome, By: d.By, Rule: d.Rule, Scope: d.Scope, Reason: d.Reason,
			Input: optionalJSON(d.Input), CreatedAt: stamp(d.CreatedAt),
		}
	}
	return row
}

// optionalJSON leaves out what would become null or break the answer.
func optionalJSON(raw json.RawMessage) json.RawMessage {
	if !json.Valid(raw) || string(raw) == "null" {
		return nil
	}
	return raw
}
