package store

import (
	"context"
	"database/sql"
	"sync"

	"github.com/mixagent/mix/internal/store/db"
)

// preparer is a pool of connections or one of them.
type preparer interface {
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// statements executes queries as statements that are prepared on first use and
// kept. The texts are those of package db, so their number is bounded.
type statements struct {
	on preparer

	mu   sync.RWMutex
	kept map[string]*sql.Stmt
}

var _ db.DBTX = (*statements)(nil)

func newStatements(on preparer) *statements {
	return &statements{on: on, kept: make(map[string]*sql.Stmt)}
}

// PrepareContext returns the statement for query; the caller must not close it.
func (s *statements) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.RLock()
	stmt := s.kept[query]
	s.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}
	made, err := s.on.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt = s.kept[query]; stmt != nil {
		_ = made.Close()
		return stmt, nil
	}
	s.kept[query] = made
	return made, nil
}

// ExecContext executes a statement that returns no rows.
func (s *statements) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := s.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// QueryContext executes a query.
func (s *statements) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRowContext executes a query that returns at most one row.
func (s *statements) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := s.PrepareContext(ctx, query)
	if err != nil {
		// A Row cannot be made by hand; this one meets the same error.
		return s.on.QueryRowContext(ctx, query, args...)
	}
	return stmt.QueryRowContext(ctx, args...)
}

// close gives the statements back.
func (s *statements) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stmt := range s.kept {
		_ = stmt.Close()
	}
	clear(s.kept)
}
