package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/mixagent/mix/internal/store/db"
)

// Batch is a list of statements that take effect together or not at all. Its
// methods only record; nothing is read or written before [Store.Commit]. Byte
// slices given to it must not be changed until then. A Batch is used by one
// goroutine and committed once.
type Batch struct {
	list []statement
	size int // bytes of arguments, roughly
	err  error
	q    *db.Queries
}

// statement is one step of a batch.
type statement struct {
	sql  string
	args []any
	// what names the row for people: "session 0198…".
	what string
	// one: exactly one row has to change. If none does, the row is missing, or,
	// where exists finds id, it is in a state that does not allow the change.
	one    bool
	exists func(*db.Queries, context.Context, string) (int64, error)
	id     string
	denial string // what such a state means, for people
	// chained: the row joins the audit trail. The writer fills in the last
	// three arguments from digest and the row before.
	chained bool
	digest  digest
}

// NewBatch returns an empty batch.
func NewBatch() *Batch {
	b := &Batch{}
	b.q = db.New(recorder{b})
	return b
}

// Len returns the number of statements recorded so far.
func (b *Batch) Len() int { return len(b.list) }

// note takes the result of a query of package db, which recorded its statement,
// and names what it is about.
func (b *Batch) note(err error, kind, id string) *statement {
	if err != nil {
		b.fail(fmt.Errorf("%s %s: %w", kind, id, err))
		return &statement{}
	}
	s := &b.list[len(b.list)-1]
	s.what, s.id = kind+" "+id, id
	return s
}

// expect lets the batch fail unless the last statement changes one row.
func (s *statement) expect() { s.one = true }

// expectState is like expect, for a change that some states of the row refuse.
func (s *statement) expectState(exists func(*db.Queries, context.Context, string) (int64, error), denial string) {
	s.one, s.exists, s.denial = true, exists, denial
}

// fail keeps the first error; Commit returns it.
func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// ctx stands for the context that recording has no use for.
func (b *Batch) ctx() context.Context { return context.Background() }

// recorder stands where a database would: it writes down what the queries of
// package db execute.
type recorder struct{ b *Batch }

var _ db.DBTX = recorder{}

var errRecorder = errors.New("a batch only writes")

// ExecContext records the statement.
func (r recorder) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	r.b.list = append(r.b.list, statement{sql: query, args: args})
	for _, a := range args {
		switch v := a.(type) {
		case string:
			r.b.size += len(v)
		case []byte:
			r.b.size += len(v)
		default:
			r.b.size += 8
		}
	}
	return nil, nil
}

// PrepareContext refuses.
func (recorder) PrepareContext(context.Context, string) (*sql.Stmt, error) { return nil, errRecorder }

// QueryContext refuses.
func (recorder) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, errRecorder
}

// QueryRowContext cannot refuse politely: an error does not fit into a Row.
func (recorder) QueryRowContext(context.Context, string, ...any) *sql.Row { panic(errRecorder) }
