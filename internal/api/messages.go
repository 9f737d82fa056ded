package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/wire"
)

// maxMessages bounds a page that a client asks for.
const maxMessages = 1000

// listMessages serves GET /api/sessions/{id}/messages: all messages in order,
// or with limit (and before, a message's identifier) one page of them.
func (a *API) listMessages(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if _, err := a.o.Store.Session(r.Context(), id); err != nil {
		return sessionError(id, err)
	}
	page, err := a.page(r)
	if err != nil {
		return err
	}
	messages, err := a.o.Store.Messages(r.Context(), id, page)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.NewMessages(messages))
	return nil
}

// page reads limit and before.
func (a *API) page(r *http.Request) (store.MessageRange, error) {
	q := r.URL.Query()
	page := store.MessageRange{Queued: true}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxMessages {
			return page, invalid("limit", "must be a number from 1 to %d", maxMessages)
		}
		page.Limit = n
	}
	if s := q.Get("before"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 {
			return page, invalid("before", "must be the seq of a message")
		}
		page.BeforeSeq, page.Queued = n, false
	}
	return page, nil
}

// sendMessage serves POST /api/sessions/{id}/messages: 202 means that the
// message is on disk. The answer comes on the stream.
func (a *API) sendMessage(w http.ResponseWriter, r *http.Request) error {
	accepted, err := a.accept(w, r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusAccepted, wire.Accepted{
		Status: "processing", SessionID: r.PathValue("id"),
		RunID: accepted.RunID, MessageID: accepted.MessageID,
		EventSeq: accepted.EventSeq, Queued: accepted.Queued,
	})
	// A client that did not get its 202 sends the message again.
	if err := http.NewResponseController(w).Flush(); err != nil || r.Context().Err() != nil {
		a.o.Agent.Unacknowledged(accepted.RunID)
	}
	return nil
}

// submit serves POST /api/sessions/{id}/submit: it sends a prompt and streams
// that run, in the encoding of the own stream, until it ends.
func (a *API) submit(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	// The approver has to be there before the run can ask.
	detach := a.o.Gate.Attach(id, isApprover(r))
	defer detach()
	accepted, err := a.accept(w, r)
	if err != nil {
		return err
	}
	cur, err := a.o.Log.Subscribe(r.Context(), id, accepted.EventSeq)
	if err != nil {
		a.o.Agent.Unacknowledged(accepted.RunID)
		return sessionError(id, err)
	}
	defer cur.Close()
	w.Header().Set("Mix-Run-Id", accepted.RunID)
	w.Header().Set("Mix-Message-Id", accepted.MessageID)
	out := newStreamWriter(w, true)
	if err := out.write(wire.AppendConnected(nil, cur.Position(), id)); err != nil {
		a.o.Agent.Unacknowledged(accepted.RunID)
		return nil
	}
	a.follow(r.Context(), cur, out, endsRun(accepted.RunID))
	return nil
}

// accept reads a prompt and submits it.
func (a *API) accept(w http.ResponseWriter, r *http.Request) (agent.Accepted, error) {
	id := r.PathValue("id")
	var req wire.SendMessageRequest
	if err := decode(w, r, &req); err != nil {
		return agent.Accepted{}, err
	}
	if err := req.Validate(); err != nil {
		return agent.Accepted{}, err
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > 200 {
		return agent.Accepted{}, invalid("Idempotency-Key", "is longer than 200 bytes")
	}
	prompt := agent.Prompt{
		Text: req.Text, PlanMode: req.PlanMode, Effort: req.ThinkingLevel.Effort, IdempotencyKey: key,
	}
	if req.MaxSteps != nil {
		prompt.MaxSteps = *req.MaxSteps
	}
	prompt.Digest = digest(prompt)
	// A client that hangs up now must not leave a message that is on disk and
	// that nobody works on.
	accepted, err := a.o.Agent.Submit(context.WithoutCancel(r.Context()), id, prompt)
	if errors.Is(err, domain.ErrNotFound) {
		return accepted, sessionError(id, err)
	}
	return accepted, err
}

// digest is the same for two requests that ask for the same.
func digest(p agent.Prompt) string {
	sum := sha256.New()
	for _, part := range []string{
		p.Text, strconv.FormatBool(p.PlanMode), string(p.Effort), strconv.Itoa(p.MaxSteps),
	} {
		sum.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// cancel serves POST /api/sessions/{id}/cancel.
func (a *API) cancel(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	// Half a cancel would leave messages that wait for a run that never comes.
	running, err := a.o.Agent.Cancel(context.WithoutCancel(r.Context()), id)
	if err != nil {
		return sessionError(id, err)
	}
	writeJSON(w, http.StatusOK, wire.NewCancelled(id, running))
	return nil
}

// sessionError names the session that is not there.
func sessionError(id string, err error) error {
	if errors.Is(err, domain.ErrNotFound) {
		return notFound("session", id)
	}
	return err
}
