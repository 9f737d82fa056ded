package store

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store/db"
)

// Decide commits a decision and the grants that came with it. The error wraps
// [domain.ErrConflict] when the request has a decision already and
// [domain.ErrNotFound] when there is no such request.
func (s *Store) Decide(ctx context.Context, d domain.Decision, grants []domain.Grant) error {
	b := NewBatch()
	b.AddDecision(d)
	for _, g := range grants {
		b.AddGrant(g)
	}
	return s.Commit(ctx, b)
}

// Grants returns the grants of a session and those of a project, oldest first.
func (s *Store) Grants(ctx context.Context, session, project string) ([]domain.Grant, error) {
	rows, err := s.read.ListGrants(ctx, db.ListGrantsParams{SessionID: nullText(session), Project: project})
	if err != nil {
		return nil, fmt.Errorf("grants of session %s: %w", session, translate(err))
	}
	return all(rows, toGrant), nil
}

// Request returns a request and its decision, nil while it has none.
func (s *Store) Request(ctx context.Context, id string) (domain.Request, *domain.Decision, error) {
	row, err := s.read.GetRequest(ctx, id)
	if err != nil {
		return domain.Request{}, nil, fmt.Errorf("request %s: %w", id, translate(err))
	}
	d, err := s.decisionOf(ctx, id)
	return toRequest(row), d, err
}

func (s *Store) decisionOf(ctx context.Context, request string) (*domain.Decision, error) {
	row, err := s.read.DecisionOf(ctx, request)
	switch err = translate(err); {
	case errors.Is(err, domain.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("decision on request %s: %w", request, err)
	}
	d := toDecision(row)
	return &d, nil
}

// OpenRequests returns the requests that a person was asked and that have no
// decision, oldest first.
func (s *Store) OpenRequests(ctx context.Context) ([]domain.Request, error) {
	rows, err := s.read.OpenRequests(ctx)
	if err != nil {
		return nil, fmt.Errorf("open requests: %w", translate(err))
	}
	return all(rows, toRequest), nil
}

// AuditFilter selects rows of the audit trail.
type AuditFilter struct {
	// SessionID, where not "", keeps the requests of that session, which may
	// be deleted by now.
	SessionID string
	// Before, where not "", keeps the requests recorded before that request.
	Before string
	// Limit is how many of the newest are returned; 0 or less means 1000.
	Limit int
}

// AuditRow is a request with its decision, nil while it has none.
type AuditRow struct {
	domain.Request
	Decision *domain.Decision
}

// Audit lists requests with their decisions, newest first.
func (s *Store) Audit(ctx context.Context, f AuditFilter) ([]AuditRow, error) {
	if f.Limit <= 0 {
		f.Limit = 1000
	}
	before := int64(math.MaxInt64)
	if f.Before != "" {
		var err error
		if before, err = s.read.RequestPosition(ctx, f.Before); err != nil {
			return nil, fmt.Errorf("request %s: %w", f.Before, translate(err))
		}
	}
	var rows []db.Request
	var err error
	if f.SessionID != "" {
		rows, err = s.read.ListSessionRequests(ctx, db.ListSessionRequestsParams{
			SessionID: f.SessionID, Before: before, MaxRows: int64(f.Limit),
		})
	} else {
		rows, err = s.read.ListRequests(ctx, db.ListRequestsParams{Before: before, MaxRows: int64(f.Limit)})
	}
	if err != nil {
		return nil, fmt.Errorf("read the audit trail: %w", translate(err))
	}
	out := make([]AuditRow, len(rows))
	for i := range rows {
		out[i].Request = toRequest(rows[i])
		if out[i].Decision, err = s.decisionOf(ctx, rows[i].ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}
