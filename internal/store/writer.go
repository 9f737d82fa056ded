package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store/db"
)

const (
	// maxWaiting bounds the batches that wait for the writer; a caller beyond
	// that waits in Commit.
	maxWaiting = 256
	// maxGroup and maxGroupBytes bound one transaction, so that no caller waits
	// for a commit that grows and grows.
	maxGroup      = 128
	maxGroupBytes = 8 << 20
)

// job is a batch with a caller who waits for it.
type job struct {
	batch *Batch
	done  chan error // takes one value without a reader
}

// writer owns the connection that writes. Its goroutine is the only one to use
// it after the database was opened.
type writer struct {
	conn *sql.Conn
	*statements
	q *db.Queries

	jobs    chan *job
	stopped chan struct{}
	// wrote is told how many bytes each transaction brought.
	wrote func(bytes int)

	mu     sync.RWMutex // held for reading while a job is sent
	closed bool

	pending, batches, commits atomic.Int64
}

func startWriter(conn *sql.Conn, wrote func(int)) *writer {
	w := &writer{
		conn: conn, statements: newStatements(conn), wrote: wrote,
		jobs: make(chan *job, maxWaiting), stopped: make(chan struct{}),
	}
	w.q = db.New(w.statements)
	go w.run()
	return w
}

// submit hands the batch to the writer and waits for its outcome.
func (w *writer) submit(ctx context.Context, b *Batch) error {
	j := &job{batch: b, done: make(chan error, 1)}
	if err := w.send(ctx, j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-j.done: // both were ready
		return err
	default:
		return ctx.Err()
	}
}

func (w *writer) send(ctx context.Context, j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return domain.ErrClosed
	}
	w.pending.Add(1)
	select {
	case w.jobs <- j:
		return nil
	case <-ctx.Done():
		w.pending.Add(-1)
		return ctx.Err()
	}
}

// stop lets the writer finish what waits and returns when it has.
func (w *writer) stop() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.jobs)
	}
	w.mu.Unlock()
	<-w.stopped
	w.close()
}

func (w *writer) run() {
	defer close(w.stopped)
	var group []*job
	for first := range w.jobs {
		group = append(group[:0], first)
		size := first.batch.size
		for size < maxGroupBytes && len(group) < maxGroup {
			next, ok := w.waiting()
			if !ok {
				break
			}
			group = append(group, next)
			size += next.batch.size
		}
		w.commit(group)
		clear(group)
		w.wrote(size)
	}
}

// waiting takes a job that waits, if one does.
func (w *writer) waiting() (*job, bool) {
	select {
	case j, ok := <-w.jobs:
		return j, ok
	default:
		return nil, false
	}
}

// commit executes a group in one transaction and answers its callers. Where
// the transaction as a whole fails, each batch gets one of its own: a small
// one may fit on a disk that has no room for its neighbour.
func (w *writer) commit(group []*job) {
	errs, err := w.transaction(group)
	if err != nil && len(group) > 1 {
		for i := range group {
			one, err := w.transaction(group[i : i+1])
			if err == nil {
				err = one[0]
			}
			errs[i] = err
		}
	} else if err != nil {
		errs[0] = err
	}
	for i, j := range group {
		w.batches.Add(1)
		w.pending.Add(-1)
		j.done <- translate(errs[i])
	}
}

// transaction executes a group and returns the outcome of each batch, or an
// error that ended the transaction for all of them. Not to get one at all is an
// outcome: whoever waited in vain for another program need not do so again.
func (w *writer) transaction(group []*job) ([]error, error) {
	ctx := context.Background() // what is half done cannot be left to a caller's patience
	errs := make([]error, len(group))
	if err := w.do(ctx, "BEGIN IMMEDIATE"); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs, nil
	}
	failed := 0
	for i, j := range group {
		errs[i] = w.apply(ctx, j.batch, len(group) > 1)
		if errs[i] == nil {
			continue
		}
		failed++
		var fatal *transactionError
		if errors.As(errs[i], &fatal) {
			_ = w.do(ctx, "ROLLBACK") // SQLite may have done it already
			return errs, fatal.err
		}
	}
	if failed == len(group) {
		return errs, w.do(ctx, "ROLLBACK")
	}
	if err := w.do(ctx, "COMMIT"); err != nil {
		_ = w.do(ctx, "ROLLBACK")
		return errs, err
	}
	w.commits.Add(1)
	return errs, nil
}

// transactionError is an error after which nothing of the transaction is left.
type transactionError struct{ err error }

func (e *transactionError) Error() string { return e.err.Error() }

// apply executes one batch, in a savepoint where it has neighbours.
func (w *writer) apply(ctx context.Context, b *Batch, neighbours bool) error {
	if !neighbours {
		return w.execute(ctx, b)
	}
	if err := w.do(ctx, "SAVEPOINT batch"); err != nil {
		return &transactionError{err}
	}
	failure := w.execute(ctx, b)
	if failure != nil {
		var fatal *transactionError
		if errors.As(failure, &fatal) {
			return failure
		}
		if err := w.do(ctx, "ROLLBACK TO batch"); err != nil {
			return &transactionError{err}
		}
	}
	if err := w.do(ctx, "RELEASE batch"); err != nil {
		return &transactionError{err}
	}
	return failure
}

// execute executes the statements of a batch up to the first that fails.
func (w *writer) execute(ctx context.Context, b *Batch) error {
	for i := range b.list {
		s := &b.list[i]
		if s.chained {
			if err := w.chain(ctx, s); err != nil {
				return &transactionError{err}
			}
		}
		result, err := w.ExecContext(ctx, s.sql, s.args...)
		if err != nil {
			failure := fmt.Errorf("%s: %w", s.what, translate(err))
			if ends(err) {
				return &transactionError{failure}
			}
			return failure
		}
		if !s.one {
			continue
		}
		if n, err := result.RowsAffected(); err != nil {
			return &transactionError{err}
		} else if n == 0 {
			return w.explain(ctx, s)
		}
	}
	return nil
}

// chain gives a row of the audit trail its place. Only the writer adds rows,
// so what it reads here is still true when it writes.
func (w *writer) chain(ctx context.Context, s *statement) error {
	last, err := head(ctx, w.q)
	if err != nil {
		return fmt.Errorf("read the end of the audit trail: %w", err)
	}
	next := last.next(s.digest)
	n := len(s.args)
	s.args[n-3], s.args[n-2], s.args[n-1] = next.position, last.hash, next.hash
	return nil
}

// explain says why a statement changed nothing.
func (w *writer) explain(ctx context.Context, s *statement) error {
	if s.exists != nil {
		n, err := s.exists(w.q, ctx, s.id)
		if err != nil {
			return &transactionError{err}
		}
		if n > 0 {
			return fmt.Errorf("%s: %w: %s", s.what, domain.ErrConflict, s.denial)
		}
	}
	return fmt.Errorf("%s: %w", s.what, domain.ErrNotFound)
}

func (w *writer) do(ctx context.Context, command string) error {
	_, err := w.ExecContext(ctx, command)
	return err
}
