package permission

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// Errors of [Gate.Answer] about the answer itself. The request goes on waiting.
var (
	// ErrBadAnswer: the outcome, scope or input is not one that there is.
	ErrBadAnswer = errors.New("the answer is not valid")
	// ErrNoRule: the answer shall count for longer, but there is no narrow rule
	// to save, so the person has to write one.
	ErrNoRule = errors.New("there is no narrow rule to save for this call; answer for once, or give a rule")
)

// Answer decides a waiting request. The first answer wins: later ones get an
// error that wraps [domain.ErrConflict]; one for an unknown request wraps
// [domain.ErrNotFound]. A wider scope saves a rule, which then also decides
// the other waiting requests that it covers.
func (g *Gate) Answer(ctx context.Context, requestID string, a Answer) (domain.Decision, error) {
	w, err := g.find(requestID)
	if err != nil {
		return domain.Decision{}, err
	}
	<-w.announced // so that nobody hears of the answer before the question
	grants, d, err := g.prepare(w, a)
	if err != nil {
		return domain.Decision{}, err
	}
	if !g.claim(w) {
		return domain.Decision{}, fmt.Errorf("request %s is being answered: %w", requestID, domain.ErrConflict)
	}
	// Whoever answered may hang up now: the answer counts.
	ctx = context.WithoutCancel(ctx)
	if err := g.commit(ctx, w, d, grants); err != nil {
		g.release(w)
		return domain.Decision{}, fmt.Errorf("record the answer to request %s: %w", requestID, err)
	}
	if d.By == "person" {
		g.sawPerson(w)
	}
	if len(grants) > 0 {
		g.settleCovered(ctx)
	}
	return d, nil
}

func (g *Gate) find(requestID string) (*waiter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.waiting[requestID]
	switch {
	case w != nil && w.claimed, w == nil && g.ended.set[requestID]:
		return nil, fmt.Errorf("request %s is answered already: %w", requestID, domain.ErrConflict)
	case w == nil:
		return nil, fmt.Errorf("request %s: %w", requestID, domain.ErrNotFound)
	}
	return w, nil
}

// sawPerson notes that a person answered for the sessions of a request.
func (g *Gate) sawPerson(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, id := range w.sessions {
		p := &g.state(id).presence
		p.answered = true
		if !p.present() {
			p.left = time.Now()
		}
	}
	g.wake()
}

// prepare checks an answer and makes the rows of it.
func (g *Gate) prepare(w *waiter, a Answer) ([]domain.Grant, domain.Decision, error) {
	none := domain.Decision{}
	a.Scope = cmp.Or(a.Scope, domain.ScopeOnce)
	a.By = cmp.Or(a.By, "person")
	switch {
	case a.Outcome != domain.OutcomeAllow && a.Outcome != domain.OutcomeDeny:
		return nil, none, fmt.Errorf("%w: outcome %q, want allow or deny", ErrBadAnswer, a.Outcome)
	case a.Scope != domain.ScopeOnce && a.Scope != domain.ScopeSession && a.Scope != domain.ScopeProject:
		return nil, none, fmt.Errorf("%w: scope %q, want once, session or project", ErrBadAnswer, a.Scope)
	case len(a.Input) > 0 && !json.Valid(a.Input):
		return nil, none, fmt.Errorf("%w: the input is not JSON", ErrBadAnswer)
	case len(a.Input) > 0 && a.Outcome == domain.OutcomeDeny:
		return nil, none, fmt.Errorf("%w: a denied call has no input", ErrBadAnswer)
	}
	rules, scope, err := rulesToSave(w, a)
	if err != nil {
		return nil, none, err
	}
	d := g.complete(w, domain.Decision{
		Outcome: a.Outcome, By: a.By, Rule: strings.Join(rules, " and "), Scope: a.Scope, Reason: a.Reason, Input: a.Input,
	})
	var grants []domain.Grant
	for _, rule := range rules {
		row := domain.Grant{
			ID: domain.NewID(), SessionID: w.subject.SessionID, Rule: rule, Outcome: a.Outcome,
			RequestID: w.verdict.Request.ID, CreatedAt: d.CreatedAt,
		}
		if scope == domain.ScopeProject {
			row.SessionID, row.Project = "", w.subject.Directory
		}
		grants = append(grants, row)
	}
	return grants, d, nil
}

// rulesToSave returns the rules that an answer makes count from now on, and
// for how far.
func rulesToSave(w *waiter, a Answer) ([]string, domain.Scope, error) {
	if a.Rule != "" && a.Scope != domain.ScopeOnce {
		r, err := ParseRule(a.Rule)
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", ErrBadAnswer, err)
		}
		return []string{fixed(r, w.subject.Directory, a.Scope)}, a.Scope, nil
	}
	if a.Scope == domain.ScopeOnce {
		// The first read of a directory is asked about once for all of them.
		if w.verdict.directory && a.Outcome == domain.OutcomeAllow {
			return slices.Clone(w.verdict.suggests), domain.ScopeSession, nil
		}
		return nil, "", nil
	}
	if len(w.verdict.suggests) == 0 || len(a.Input) > 0 {
		return nil, "", fmt.Errorf("%w: %w", ErrBadAnswer, ErrNoRule)
	}
	return slices.Clone(w.verdict.suggests), a.Scope, nil
}

// fixed returns a rule's text with a relative path made absolute, for a grant
// that belongs to a session: it means the directory of today, also when the
// session goes to another.
func fixed(r Rule, dir string, scope domain.Scope) string {
	if r.kind != rulePath || scope != domain.ScopeSession || strings.HasPrefix(r.path, "~") || strings.HasPrefix(r.path, "/") ||
		filepath.IsAbs(filepath.FromSlash(r.path)) {
		return r.text
	}
	name, _, _ := strings.Cut(r.text, "(")
	return name + "(" + joinPattern(dir, strings.TrimPrefix(r.path, "./")) + ")"
}

// settleCovered decides waiting requests that the newest grants cover.
func (g *Gate) settleCovered(ctx context.Context) {
	g.mu.Lock()
	list := make([]*waiter, 0, len(g.waiting))
	for _, w := range g.waiting {
		list = append(list, w)
	}
	g.mu.Unlock()
	for _, w := range list {
		<-w.announced
		g.settleIfCovered(ctx, w)
	}
}

// settleIfCovered decides a waiting request when a new judgment has an outcome.
func (g *Gate) settleIfCovered(ctx context.Context, w *waiter) {
	if !w.verdict.asks {
		return
	}
	v := g.Judge(ctx, w.subject, w.call)
	if v.Outcome == "" || !g.claim(w) {
		return
	}
	d := g.complete(w, domain.Decision{
		Outcome: v.Outcome, By: v.By, Rule: v.Rule, Scope: v.Decision.Scope, Reason: v.Reason,
	})
	if err := g.commit(context.WithoutCancel(ctx), w, d, nil); err != nil {
		// It goes on waiting: a person can still answer.
		g.o.Logger.WarnContext(ctx, "a decision by a grant was not recorded", "request", d.RequestID, "error", err)
		g.release(w)
	}
}
