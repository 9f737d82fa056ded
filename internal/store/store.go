package store

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/store/db"
)

// Options of [Open]. Path is required.
type Options struct {
	// Path of the database file. Unless ReadOnly, the file and the directories
	// above it are made where they are missing, for this user alone.
	Path string
	// ReadOnly opens an existing database of this version for reading, also
	// next to a server that has it open. Every write fails with
	// [domain.ErrReadOnly].
	ReadOnly bool
	// BusyTimeout is how long a commit waits while another program writes,
	// before it fails with [ErrBusy]. If zero: 5 s.
	BusyTimeout time.Duration
	// Logger is told of migrations and of checkpoints that fail. If nil:
	// slog.Default.
	Logger *slog.Logger
}

// Store is an open database. Its methods are safe for concurrent use.
type Store struct {
	path string
	log  *slog.Logger
	busy time.Duration

	readers *sql.DB
	reads   *statements
	read    *db.Queries

	// These are nil in a store that was opened for reading only.
	writing     *sql.DB // has one connection, the writer's
	writer      *writer
	checkpoints *checkpointer

	closing sync.Once
	closed  error
}

var _ eventlog.Archive = (*Store)(nil)

// Commit writes the batch and returns when it is on disk. A batch that fails
// has no effect; errors wrap [domain.ErrNotFound] or [domain.ErrConflict] where
// a row is missing or in the wrong state, else see the errors of this package.
//
// A caller whose ctx ends gets its error at once and cannot know whether the
// batch was or will be committed.
func (s *Store) Commit(ctx context.Context, b *Batch) error {
	if s.writer == nil {
		return domain.ErrReadOnly
	}
	if b.err != nil {
		return b.err
	}
	if err := ctx.Err(); err != nil || len(b.list) == 0 {
		return err
	}
	return s.writer.submit(ctx, b)
}

// Stats counts what the writer did since the store was opened.
type Stats struct {
	// Batches is the number of batches answered, Commits that of transactions
	// written to disk: less, where batches shared one.
	Batches, Commits int64
	// Waiting is how many batches were handed in and are not answered yet.
	Waiting int64
}

// Stats returns the counters; all are zero in a store opened for reading only.
func (s *Store) Stats() Stats {
	if s.writer == nil {
		return Stats{}
	}
	w := s.writer
	return Stats{Batches: w.batches.Load(), Commits: w.commits.Load(), Waiting: w.pending.Load()}
}

// Path returns the path of the database file.
func (s *Store) Path() string { return s.path }

// Close commits what waits, copies the WAL into the database file and closes
// it. Later calls return what the first did.
func (s *Store) Close() error {
	s.closing.Do(func() {
		if s.writer != nil {
			s.writer.stop()
			s.checkpoints.stop()
		}
		s.reads.close()
		s.closed = s.readers.Close()
		if s.writer != nil {
			if err := s.writer.conn.Close(); err != nil && s.closed == nil {
				s.closed = err
			}
			// The last connection to close copies the WAL.
			if err := s.writing.Close(); err != nil && s.closed == nil {
				s.closed = err
			}
		}
		s.closed = translate(s.closed)
	})
	return s.closed
}
