package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/store/db"
)

// The audit trail is one chain over two tables, requests and decisions, in the
// order of position. The hash of a row is SHA-256 over the hash of the row
// before, the position, and a digest of what the row says. Changing, removing
// or exchanging rows behind Mix's back breaks the chain from there on, unless
// every later row is forged as well. The first row follows the hash "".

// digest is the SHA-256 of what a row of the trail says.
type digest [sha256.Size]byte

// fields hashes texts and numbers so that their borders count.
type fields struct{ h hash.Hash }

func (f fields) text(texts ...string) {
	for _, t := range texts {
		f.number(int64(len(t)))
		f.h.Write([]byte(t))
	}
}

func (f fields) number(n int64) {
	f.h.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func (f fields) sum() (d digest) {
	f.h.Sum(d[:0])
	return d
}

func digestRequest(r domain.Request) digest {
	f := fields{sha256.New()}
	f.text("request", r.ID, r.SessionID, r.SessionName, r.RunID, r.CallID, r.Kind, r.Tool, string(r.Capability),
		r.Target, r.Description, string(r.Input), r.Reason)
	asked := int64(0)
	if r.Asked {
		asked = 1
	}
	f.number(asked)
	f.number(millis(r.CreatedAt))
	return f.sum()
}

func digestDecision(d domain.Decision) digest {
	f := fields{sha256.New()}
	f.text("decision", d.ID, d.RequestID, d.SessionID, string(d.Outcome), d.By, d.Rule, string(d.Scope), d.Reason, string(d.Input))
	f.number(millis(d.CreatedAt))
	return f.sum()
}

// link is the place of a row in the chain.
type link struct {
	position int64
	hash     string
}

// next is the place of the row after l.
func (l link) next(d digest) link {
	f := fields{sha256.New()}
	f.text(l.hash)
	f.number(l.position + 1)
	f.h.Write(d[:])
	sum := f.sum()
	return link{l.position + 1, hex.EncodeToString(sum[:])}
}

// head returns the last row of the chain.
func head(ctx context.Context, q *db.Queries) (link, error) {
	r, err := q.LastRequest(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return link{}, err
	}
	d, err := q.LastDecision(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return link{}, err
	}
	if d.Position > r.Position {
		return link{d.Position, d.Hash}, nil
	}
	return link{r.Position, r.Hash}, nil
}

// ChainError reports the first place where the audit trail does not hold
// together.
type ChainError struct {
	Position int64
	// Row is "request ID", "decision ID", or "" where a row is missing.
	Row string
}

// Error says what it means.
func (e *ChainError) Error() string {
	if e.Row == "" {
		return fmt.Sprintf("the audit trail was changed from outside: its row %d is missing", e.Position)
	}
	return fmt.Sprintf("the audit trail was changed from outside: its row %d (%s) is not what was recorded", e.Position, e.Row)
}

// VerifyAudit follows the whole audit trail, as long as it is when called, and
// returns the number of its rows. It returns a [ChainError] where a row was
// changed or is missing; rows cut off at the very end cannot be noticed.
func (s *Store) VerifyAudit(ctx context.Context) (int64, error) {
	last, err := head(ctx, s.read)
	if err != nil {
		return 0, fmt.Errorf("read the audit trail: %w", translate(err))
	}
	var at link
	t := trail{read: s.read}
	for at.position < last.position {
		r, err := t.after(ctx, at.position)
		if err != nil {
			return at.position, fmt.Errorf("read the audit trail: %w", translate(err))
		}
		next := at.next(r.digest)
		if r.position != next.position {
			return at.position, &ChainError{Position: next.position}
		}
		if r.hash != next.hash || r.prev != at.hash {
			return at.position, &ChainError{Position: next.position, Row: r.name}
		}
		at = next
	}
	return at.position, nil
}

// trail reads both tables of the trail in one order.
type trail struct {
	read                  *db.Queries
	requests              []db.Request
	decisions             []db.Decision
	noRequest, noDecision bool // the last page was read
}

// record is one row of the trail.
type record struct {
	position         int64
	name, prev, hash string
	digest           digest
}

// trailPage is how many rows of each table a trail holds in memory.
const trailPage = 512

// after returns the row that follows position; the zero record where none does.
func (t *trail) after(ctx context.Context, position int64) (record, error) {
	var err error
	if len(t.requests) == 0 && !t.noRequest {
		if t.requests, err = t.read.RequestsAfter(ctx, db.RequestsAfterParams{Position: position, Limit: trailPage}); err != nil {
			return record{}, err
		}
		t.noRequest = len(t.requests) == 0
	}
	if len(t.decisions) == 0 && !t.noDecision {
		if t.decisions, err = t.read.DecisionsAfter(ctx, db.DecisionsAfterParams{Position: position, Limit: trailPage}); err != nil {
			return record{}, err
		}
		t.noDecision = len(t.decisions) == 0
	}
	switch {
	case len(t.requests) > 0 && (len(t.decisions) == 0 || t.requests[0].Position < t.decisions[0].Position):
		r := t.requests[0]
		t.requests = t.requests[1:]
		return record{r.Position, "request " + r.ID, r.PrevHash, r.Hash, digestRequest(toRequest(r))}, nil
	case len(t.decisions) > 0:
		d := t.decisions[0]
		t.decisions = t.decisions[1:]
		return record{d.Position, "decision " + d.ID, d.PrevHash, d.Hash, digestDecision(toDecision(d))}, nil
	}
	return record{}, nil
}
