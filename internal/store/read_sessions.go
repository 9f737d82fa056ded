package store

import (
	"context"
	"fmt"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store/db"
)

// Session returns a session.
func (s *Store) Session(ctx context.Context, id string) (domain.Session, error) {
	row, err := s.read.GetSession(ctx, id)
	if err != nil {
		return domain.Session{}, fmt.Errorf("session %s: %w", id, translate(err))
	}
	return toSession(row)
}

// SessionFilter narrows a list of sessions. The zero value lists the sessions
// of people and programs, all of them.
type SessionFilter struct {
	// Subagents includes the sessions of sub-agents.
	Subagents bool
	// Directory, where not "", keeps the sessions that work there.
	Directory string
	// Limit, where above 0, keeps that many of the newest.
	Limit int
}

// Sessions lists sessions, the last used first.
func (s *Store) Sessions(ctx context.Context, f SessionFilter) ([]domain.Session, error) {
	p := db.ListSessionsParams{Directory: f.Directory, MaxRows: limit(f.Limit)}
	if f.Subagents {
		p.Subagents = 1
	}
	rows, err := s.read.ListSessions(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", translate(err))
	}
	return allChecked(rows, toSession)
}

// limit is a row limit for SQL, where -1 means none.
func limit(n int) int64 {
	if n <= 0 {
		return -1
	}
	return int64(n)
}
