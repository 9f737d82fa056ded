package permission

import (
	"context"

	"github.com/mixagent/mix/internal/domain"
)

// Gate decides and waits. It is safe for concurrent use.
type Gate struct{ o Options }

// NewGate returns a gate.
func NewGate(o Options) *Gate { return &Gate{o: o} }

// Judge decides about a call without any effect.
func (g *Gate) Judge(ctx context.Context, s Subject, c Call) Verdict { return Verdict{} }

// Ask announces the request of a verdict that has no outcome and waits for its
// decision.
func (g *Gate) Ask(ctx context.Context, s Subject, c Call, v Verdict) (domain.Decision, error) {
	<-ctx.Done()
	return domain.Decision{}, ctx.Err()
}

// Answer decides a waiting request.
func (g *Gate) Answer(ctx context.Context, requestID string, a Answer) (domain.Decision, error) {
	return domain.Decision{}, domain.ErrNotFound
}

// Attach tells that a client's stream of the session is connected, until
// detach is called.
func (g *Gate) Attach(session string, approver bool) (detach func()) { return func() {} }

// HasApprover reports whether somebody who can answer is connected.
func (g *Gate) HasApprover(session string) bool { return false }

// Open returns the waiting requests of a session.
func (g *Gate) Open(session string) []domain.Request { return nil }

// GrantDirectory returns the grant of reads below dir.
func (g *Gate) GrantDirectory(session, dir string) domain.Grant { return domain.Grant{} }

// Forget drops what is remembered of a session.
func (g *Gate) Forget(session string) {}

// Rules are parsed rules.
type Rules struct{}
