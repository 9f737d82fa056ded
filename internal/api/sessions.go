package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/wire"
)

// maxSessions bounds a listing.
const maxSessions = 10_000

// listSessions serves GET /api/sessions, newest first.
func (a *API) listSessions(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	filter := store.SessionFilter{Directory: q.Get("directory"), Limit: maxSessions}
	if s := q.Get("includeSubagents"); s != "" {
		include, err := strconv.ParseBool(s)
		if err != nil {
			return invalid("includeSubagents", "must be true or false")
		}
		filter.Subagents = include
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxSessions {
			return invalid("limit", "must be a number from 1 to %d", maxSessions)
		}
		filter.Limit = n
	}
	sessions, err := a.o.Store.Sessions(r.Context(), filter)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.NewSessions(sessions))
	return nil
}

// createSession serves POST /api/sessions.
func (a *API) createSession(w http.ResponseWriter, r *http.Request) error {
	var req wire.CreateSessionRequest
	if err := decode(w, r, &req); err != nil {
		return err
	}
	if err := req.Validate(); err != nil {
		return err
	}
	sess, err := a.o.Agent.CreateSession(context.WithoutCancel(r.Context()), agent.NewSession{
		Title: req.Title, Directory: req.ProjectPath, Model: req.Model,
		Policy: a.policy(req.Policy()), GrantDirectory: req.GrantDirectory,
		BrowserMode: req.BrowserMode, CdpURL: req.CdpURL, Callbacks: req.Callbacks,
		PromptMode: req.PromptMode, CustomPrompt: req.CustomSystemPrompt,
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, wire.NewSessionData(&sess))
	return nil
}

// policy is what the client asked for, on top of what the server was started
// with. Rules of the server stay: a client can only add.
func (a *API) policy(asked domain.Policy) domain.Policy {
	p := a.o.Defaults
	p.Allow = slices.Concat(p.Allow, asked.Allow)
	p.Deny = slices.Concat(p.Deny, asked.Deny)
	if asked.Mode != "" {
		p.Mode = asked.Mode
	}
	p.Trust = p.Trust || asked.Trust
	if asked.MaxSteps > 0 {
		p.MaxSteps = asked.MaxSteps
	}
	if asked.MaxCostUSD > 0 {
		p.MaxCostUSD = asked.MaxCostUSD
	}
	return p
}

// getSession serves GET /api/sessions/{id}.
func (a *API) getSession(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	sess, err := a.o.Store.Session(r.Context(), id)
	if err != nil {
		return sessionError(id, err)
	}
	writeJSON(w, http.StatusOK, wire.NewSessionData(&sess))
	return nil
}

// deleteSession serves DELETE /api/sessions/{id}.
func (a *API) deleteSession(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if err := a.o.Agent.DeleteSession(context.WithoutCancel(r.Context()), id); err != nil {
		return sessionError(id, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// exportSession serves GET /api/sessions/{id}/export.
func (a *API) exportSession(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	sess, err := a.o.Store.Session(r.Context(), id)
	if err != nil {
		return sessionError(id, err)
	}
	messages, err := a.o.Store.Messages(r.Context(), id, store.MessageRange{Queued: true})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", "attachment; filename=session_"+id+"_transcript.json")
	writeJSON(w, http.StatusOK, wire.NewExportSession(&sess, messages))
	return nil
}

// health serves GET /health. It needs no token, so it says little.
func (a *API) health(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, wire.NewHealth(a.o.Version, a.o.Instance, time.Now()))
	return nil
}
