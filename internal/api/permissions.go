package api

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/wire"
)

// grant serves POST /api/permissions/{id}/grant. The body is optional: scope,
// rule, reason, and an edited input.
func (a *API) grant(w http.ResponseWriter, r *http.Request) error {
	return a.answer(w, r, domain.OutcomeAllow)
}

// deny serves POST /api/permissions/{id}/deny, with the same body.
func (a *API) deny(w http.ResponseWriter, r *http.Request) error {
	return a.answer(w, r, domain.OutcomeDeny)
}

func (a *API) answer(w http.ResponseWriter, r *http.Request, outcome domain.Outcome) error {
	id := r.PathValue("id")
	var req wire.AnswerRequest
	if err := decodeOptional(w, r, &req); err != nil {
		return err
	}
	if err := req.Validate(); err != nil {
		return err
	}
	var bad *permission.RuleError
	d, err := a.o.Gate.Answer(r.Context(), id, permission.Answer{
		Outcome: outcome, By: "person", Scope: req.Scope, Rule: req.Rule, Reason: req.Reason, Input: req.Input,
	})
	switch {
	case errors.Is(err, domain.ErrNotFound):
		return notFound("permission request", id)
	case errors.Is(err, domain.ErrConflict):
		return a.answered(w, r, id, outcome)
	case errors.As(err, &bad), errors.Is(err, permission.ErrNoRule):
		return invalid("rule", "%v", err)
	case errors.Is(err, permission.ErrBadAnswer):
		return invalid("body", "%v", err)
	case err != nil:
		return err
	}
	writeAnswer(w, &d)
	return nil
}

// answered deals with a request that has its decision: the same answer again
// is the retry of a client and succeeds, another one comes too late.
func (a *API) answered(w http.ResponseWriter, r *http.Request, id string, outcome domain.Outcome) error {
	_, d, err := a.o.Store.Request(r.Context(), id)
	if err != nil {
		return err
	}
	if d == nil {
		return notFound("permission request", id)
	}
	if d.Outcome == outcome && d.By == "person" {
		writeAnswer(w, d)
		return nil
	}
	return &httpError{
		http.StatusNotFound, "already_answered",
		fmt.Errorf("permission request %q was decided already: %s, by %s", id, d.Outcome, d.By),
	}
}

func writeAnswer(w http.ResponseWriter, d *domain.Decision) {
	if d.Outcome == domain.OutcomeAllow {
		writeJSON(w, http.StatusOK, wire.NewGranted(d))
		return
	}
	writeJSON(w, http.StatusOK, wire.NewDenied(d))
}

// openRequests serves GET /api/sessions/{id}/requests: what waits for a person.
func (a *API) openRequests(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if _, err := a.o.Store.Session(r.Context(), id); err != nil {
		return sessionError(id, err)
	}
	out := []wire.AuditRow{}
	for _, req := range a.o.Gate.Open(id) {
		out = append(out, wire.NewAuditRow(&req, nil))
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// maxAudit bounds one page of the audit.
const maxAudit = 10_000

// audit serves GET /api/audit: requests with their decisions, newest first.
func (a *API) audit(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	filter := store.AuditFilter{SessionID: q.Get("session"), Limit: 1000}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxAudit {
			return invalid("limit", "must be a number from 1 to %d", maxAudit)
		}
		filter.Limit = n
	}
	rows, err := a.o.Store.Audit(r.Context(), filter)
	if err != nil {
		return err
	}
	out := make([]wire.AuditRow, len(rows))
	for i := range rows {
		out[i] = wire.NewAuditRow(&rows[i].Request, rows[i].Decision)
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// explainSession serves POST /api/sessions/{id}/explain: what the gate would
// say of a call of the session, and which rule says so. Nothing is run, nothing
// is recorded.
func (a *API) explainSession(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	var req struct {
		Call string `json:"call"` // "Bash(git status)"
	}
	if err := decode(w, r, &req); err != nil {
		return err
	}
	sess, err := a.o.Store.Session(r.Context(), id)
	if err != nil {
		return sessionError(id, err)
	}
	return a.explain(w, r, req.Call, permission.Subject{
		SessionID: sess.ID, SessionName: sess.Title, Directory: sess.Directory, Policy: sess.Policy,
	})
}

// explainCall serves POST /api/permissions/explain: the same for a session
// that the request describes and that need not exist.
func (a *API) explainCall(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Call    string                    `json:"call"`
		Session wire.CreateSessionRequest `json:"session"`
	}
	if err := decode(w, r, &req); err != nil {
		return err
	}
	if req.Session.ProjectPath == "" {
		return invalid("session.project_path", "is required")
	}
	if err := req.Session.Validate(); err != nil {
		return err
	}
	dir, err := filepath.EvalSymlinks(req.Session.ProjectPath)
	if err != nil {
		return invalid("session.project_path", "%v", err)
	}
	policy := a.policy(req.Session.Policy())
	if req.Session.GrantDirectory {
		policy.Allow = append(policy.Allow, "Read(./**)")
	}
	return a.explain(w, r, req.Call, permission.Subject{Directory: dir, Policy: policy})
}

func (a *API) explain(w http.ResponseWriter, r *http.Request, text string, s permission.Subject) error {
	call, err := permission.ParseCallText(text, s.Directory)
	if err != nil {
		return invalid("call", "%v", err)
	}
	e := a.o.Gate.Explain(r.Context(), s, call)
	out := explanation{
		Outcome: outcomeWord(e.Verdict.Outcome), By: e.Verdict.By, Rule: e.Verdict.Rule, Reason: e.Verdict.Reason,
		ReadOnly: e.Verdict.ReadOnly, Suggest: e.Verdict.Suggest, Steps: make([]explainedStep, len(e.Steps)),
	}
	for i, step := range e.Steps {
		out.Steps[i] = explainedStep{Part: step.Part, Outcome: outcomeWord(step.Outcome), By: step.By, Rule: step.Rule, Reason: step.Reason}
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// explanation is a verdict with the steps to it.
type explanation struct {
	Outcome  string          `json:"outcome"` // allow, deny, ask
	By       string          `json:"by,omitempty"`
	Rule     string          `json:"rule,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	ReadOnly bool            `json:"readOnly"`
	Suggest  string          `json:"suggest,omitempty"` // the rule that "always" would save
	Steps    []explainedStep `json:"steps"`
}

// explainedStep is what was thought of one part of a call.
type explainedStep struct {
	Part    string `json:"part"`
	Outcome string `json:"outcome"`
	By      string `json:"by,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func outcomeWord(o domain.Outcome) string {
	if o == "" {
		return "ask"
	}
	return string(o)
}
