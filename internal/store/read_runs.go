package store

import (
	"context"
	"fmt"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store/db"
)

// Run returns a run.
func (s *Store) Run(ctx context.Context, id string) (domain.Run, error) {
	row, err := s.read.GetRun(ctx, id)
	return oneRun(row, err, "run "+id)
}

// RunByKey returns the run of a session that was submitted with an idempotency
// key. The key "" names no run.
func (s *Store) RunByKey(ctx context.Context, session, key string) (domain.Run, error) {
	row, err := s.read.RunByKey(ctx, db.RunByKeyParams{SessionID: session, IdempotencyKey: key})
	return oneRun(row, err, "run with this idempotency key")
}

// RunByDigest returns the newest run of a session, created at since or later,
// whose request had this digest. The digest "" names no run.
func (s *Store) RunByDigest(ctx context.Context, session, digest string, since time.Time) (domain.Run, error) {
	row, err := s.read.RunByDigest(ctx, db.RunByDigestParams{SessionID: session, Since: millis(since), Digest: digest})
	return oneRun(row, err, "run with this digest")
}

func oneRun(row db.Run, err error, what string) (domain.Run, error) {
	if err != nil {
		return domain.Run{}, fmt.Errorf("%s: %w", what, translate(err))
	}
	return toRun(row), nil
}

// Runs returns the last runs of a session, newest first; all with a limit of 0
// or less.
func (s *Store) Runs(ctx context.Context, session string, max int) ([]domain.Run, error) {
	rows, err := s.read.ListRuns(ctx, db.ListRunsParams{SessionID: session, Limit: limit(max)})
	return manyRuns(rows, err, "runs of session "+session)
}

// UnfinishedRuns returns the runs of all sessions that are queued or running,
// in the order they were created.
func (s *Store) UnfinishedRuns(ctx context.Context) ([]domain.Run, error) {
	rows, err := s.read.UnfinishedRuns(ctx)
	return manyRuns(rows, err, "unfinished runs")
}

func manyRuns(rows []db.Run, err error, what string) ([]domain.Run, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, translate(err))
	}
	return all(rows, toRun), nil
}

// Call returns a row of the journal.
func (s *Store) Call(ctx context.Context, id string) (domain.ToolCall, error) {
	row, err := s.read.GetCall(ctx, id)
	if err != nil {
		return domain.ToolCall{}, fmt.Errorf("tool call %s: %w", id, translate(err))
	}
	return toCall(row), nil
}

// UnfinishedCalls returns the tool calls of all sessions that have not ended,
// in the order they were created.
func (s *Store) UnfinishedCalls(ctx context.Context) ([]domain.ToolCall, error) {
	rows, err := s.read.UnfinishedCalls(ctx)
	if err != nil {
		return nil, fmt.Errorf("unfinished tool calls: %w", translate(err))
	}
	return all(rows, toCall), nil
}
