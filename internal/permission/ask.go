package permission

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// waiter is a request that waits for its decision.
type waiter struct {
	subject  Subject
	call     Call
	verdict  Verdict
	sessions []string // where it is announced: the subject's and its ancestors
	asked    time.Time
	// announced is closed when the clients were told of the request.
	announced chan struct{}
	changed   chan struct{} // somebody came or went

	// claimed is true while one goroutine commits the decision; g.mu guards it.
	claimed bool
	done    chan struct{} // closed when decision or err is set
	// decision and err are set before done is closed.
	decision domain.Decision
	err      error
}

// recent remembers the last requests that ended, so that a late answer hears
// that it came too late.
type recent struct {
	ids  [1024]string
	next int
	set  map[string]bool
}

func (r *recent) add(id string) {
	if r.set == nil {
		r.set = make(map[string]bool, len(r.ids))
	}
	delete(r.set, r.ids[r.next])
	r.ids[r.next], r.set[id] = id, true
	r.next = (r.next + 1) % len(r.ids)
}

// Ask announces the request of a verdict without an outcome, which the caller
// has committed, and waits for its decision: an answer, a grant that came with
// the answer to another request, or the expiry. The decision is committed when
// Ask returns it. When ctx ends first the decision is "withdrawn", and is
// returned together with ctx's error.
func (g *Gate) Ask(ctx context.Context, s Subject, c Call, v Verdict) (domain.Decision, error) {
	w := &waiter{
		subject: s, call: c, verdict: v, sessions: append([]string{s.SessionID}, s.Parents...), asked: time.Now(),
		announced: make(chan struct{}), changed: make(chan struct{}, 1), done: make(chan struct{}),
	}
	g.mu.Lock()
	if g.waiting[v.Request.ID] != nil || g.ended.set[v.Request.ID] {
		g.mu.Unlock()
		return domain.Decision{}, fmt.Errorf("request %s is asked twice: %w", v.Request.ID, domain.ErrConflict)
	}
	g.waiting[v.Request.ID] = w
	expires := g.expires(w)
	g.mu.Unlock()

	g.announce(w, expires)
	close(w.announced)
	// A grant may have come between the judgment and now.
	g.settleIfCovered(ctx, w)
	return g.wait(ctx, w)
}

func (g *Gate) wait(ctx context.Context, w *waiter) (domain.Decision, error) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		g.mu.Lock()
		expires := g.expires(w)
		g.mu.Unlock()
		timer.Stop()
		var expiry <-chan time.Time
		if !expires.IsZero() {
			timer.Reset(time.Until(expires))
			expiry = timer.C
		}
		select {
		case <-w.done:
			return w.decision, w.err
		case <-w.changed:
			continue
		case <-ctx.Done():
			d, err := g.end(ctx, w, domain.Decision{
				Outcome: domain.OutcomeWithdrawn, By: "cancel", Reason: "the run ended before anybody answered",
			})
			if err == nil && d.Outcome == domain.OutcomeWithdrawn {
				err = ctx.Err()
			}
			return d, err
		case <-expiry:
			g.mu.Lock()
			now := g.expires(w)
			g.mu.Unlock()
			if now.IsZero() || now.After(expires) {
				continue // somebody came at the last moment
			}
			return g.end(ctx, w, domain.Decision{Outcome: domain.OutcomeExpired, By: "expiry", Reason: g.expiryReason(w)})
		}
	}
}

func (g *Gate) expiryReason(w *waiter) string {
	what := w.verdict.Reason
	if what == "" {
		what = "it needs an answer"
	}
	return fmt.Sprintf("%s, and nobody who can answer was connected for %s", what, g.o.Expiry)
}

// end commits a decision that nobody gave, or returns the one that was first.
func (g *Gate) end(ctx context.Context, w *waiter, d domain.Decision) (domain.Decision, error) {
	for !g.claim(w) {
		select {
		case <-w.done:
			return w.decision, w.err
		case <-w.changed: // the other one could not commit
		}
	}
	d = g.complete(w, d)
	err := g.commit(context.WithoutCancel(ctx), w, d, nil)
	if err != nil {
		g.finish(w, d, fmt.Errorf("record the decision about %s: %w", w.call.Tool, err))
	}
	return w.decision, w.err
}

// claim makes the caller the one who decides a request.
func (g *Gate) claim(w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.claimed {
		return false
	}
	w.claimed = true
	return true
}

// release gives a claim back after a failed commit, and wakes who waits.
func (g *Gate) release(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w.claimed = false
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// complete fills what every decision has.
func (g *Gate) complete(w *waiter, d domain.Decision) domain.Decision {
	d.ID, d.RequestID, d.SessionID, d.CreatedAt = domain.NewID(), w.verdict.Request.ID, w.subject.SessionID, g.now()
	if d.Scope == "" {
		d.Scope = domain.ScopeOnce
	}
	return d
}

// commit records a claimed request's decision and hands it to who waits. On an
// error nothing has happened and the claim is still the caller's.
func (g *Gate) commit(ctx context.Context, w *waiter, d domain.Decision, grants []domain.Grant) error {
	err := g.o.Records.Decide(ctx, d, grants)
	if errors.Is(err, domain.ErrConflict) {
		// Somebody else wrote the row; whatever it says, this call is over.
		g.finish(w, domain.Decision{}, fmt.Errorf("request %s was decided elsewhere: %w", d.RequestID, err))
		return err
	}
	if err != nil {
		return err
	}
	if len(grants) > 0 {
		g.mu.Lock()
		g.record(w.subject.SessionID, w.subject.Directory, grants...)
		g.mu.Unlock()
	}
	g.finish(w, d, nil)
	return nil
}

// finish ends the wait and tells all clients.
func (g *Gate) finish(w *waiter, d domain.Decision, err error) {
	g.mu.Lock()
	select {
	case <-w.done:
		g.mu.Unlock()
		return
	default:
	}
	id := w.verdict.Request.ID
	w.decision, w.err = d, err
	delete(g.waiting, id)
	g.ended.add(id)
	g.mu.Unlock()
	// The event comes before what the decision makes happen.
	ev := domain.Resolved{RequestID: id, CallID: w.call.ID, Outcome: d.Outcome, By: d.By, Rule: d.Rule, Reason: d.Reason}
	if err != nil {
		ev.Outcome, ev.Reason = domain.OutcomeWithdrawn, err.Error()
	}
	for _, session := range w.sessions {
		g.o.Events.Append(session, ev)
	}
	close(w.done)
}

// announce tells all clients of the session and of its ancestors.
func (g *Gate) announce(w *waiter, expires time.Time) {
	r := &w.verdict.Request
	path := r.Target
	if r.Capability != domain.CanRead && r.Capability != domain.CanWrite {
		path = w.subject.Directory
	}
	ev := domain.PermissionAsked{
		RequestID: r.ID, SessionID: r.SessionID, Tool: r.Tool, Description: r.Description, Action: string(r.Capability),
		Path: path, Params: object(r.Input), ParentToolCallID: w.subject.ParentToolCallID,
		CallID: r.CallID, Reason: r.Reason, Rule: w.verdict.Suggest, Diff: w.call.Diff, ExpiresAt: expires,
	}
	for _, session := range w.sessions {
		g.o.Events.Append(session, ev)
	}
}

// object returns a JSON object: the input where it is one, else an empty one.
func object(input json.RawMessage) json.RawMessage {
	if t := bytes.TrimSpace(input); len(t) > 0 && t[0] == '{' && json.Valid(t) {
		return input
	}
	return json.RawMessage("{}")
}

// Open returns the waiting requests of a session, oldest first.
func (g *Gate) Open(session string) []domain.Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []domain.Request
	for _, w := range g.waiting {
		if slices.Contains(w.sessions, session) {
			out = append(out, w.verdict.Request)
		}
	}
	// Identifiers made later sort later.
	slices.SortFunc(out, func(a, b domain.Request) int { return strings.Compare(a.ID, b.ID) })
	return out
}
