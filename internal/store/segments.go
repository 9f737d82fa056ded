package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/store/db"
)

// Reserve records that event numbers of a session up to upTo may be in use.
func (s *Store) Reserve(ctx context.Context, session string, upTo int64) error {
	b := NewBatch()
	b.ReserveEvents(session, upTo)
	return s.Commit(ctx, b)
}

// Reserved returns the highest event number that may be in use in a session.
func (s *Store) Reserved(ctx context.Context, session string) (int64, error) {
	n, err := s.read.ReservedEvents(ctx, session)
	if err != nil {
		return 0, fmt.Errorf("session %s: %w", session, translate(err))
	}
	return n, nil
}

// SaveSegments stores event segments in one transaction. Those of sessions
// that are gone are left out.
func (s *Store) SaveSegments(ctx context.Context, segments []eventlog.Segment) error {
	b := NewBatch()
	b.AddSegments(segments)
	return s.Commit(ctx, b)
}

// LoadSegments returns the segments of a session whose last number is above
// after, in order: as many as fit into maxBytes, but at least one if there is
// any.
func (s *Store) LoadSegments(ctx context.Context, session string, after int64, maxBytes int) ([]eventlog.Segment, error) {
	var out []eventlog.Segment
	size := 0
	err := s.read.EachSegmentAfter(ctx, db.SegmentsAfterParams{SessionID: session, Last: after}, func(r db.SegmentsAfterRow) bool {
		size += len(r.Data)
		if len(out) > 0 && size > maxBytes {
			return false
		}
		out = append(out, eventlog.Segment{
			SessionID: session, First: r.First, Last: r.Last, Data: r.Data, CreatedAt: moment(r.CreatedAt),
		})
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("event segments of session %s: %w", session, translate(err))
	}
	return out, nil
}

// FirstSegment returns the lowest event number of a session that a segment
// holds, 0 where none does.
func (s *Store) FirstSegment(ctx context.Context, session string) (int64, error) {
	first, err := s.read.FirstSegment(ctx, session)
	switch err = translate(err); {
	case errors.Is(err, domain.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("event segments of session %s: %w", session, err)
	}
	return first, nil
}

// pruneStep is how many segments one transaction deletes, so that commits of
// others do not wait for long.
const pruneStep = 256

// PruneSegments deletes the segments created before olderThan and, oldest
// first, as many more as it takes to keep at most maxBytes of data.
func (s *Store) PruneSegments(ctx context.Context, olderThan time.Time, maxBytes int64) error {
	var cut db.SegmentSizesRow // the newest to go
	doomed, kept := 0, int64(0)
	oldest := millis(olderThan)
	err := s.read.EachSegmentSize(ctx, func(r db.SegmentSizesRow) {
		if doomed == 0 {
			kept += r.Bytes
			if r.CreatedAt >= oldest && kept <= maxBytes {
				return
			}
			cut = r
		}
		doomed++
	})
	if err != nil {
		return fmt.Errorf("sizes of event segments: %w", translate(err))
	}
	for ; doomed > 0; doomed -= pruneStep {
		b := NewBatch()
		b.note(b.q.PruneSegments(b.ctx(), db.PruneSegmentsParams{CreatedAt: cut.CreatedAt, UpTo: cut.ID, MaxRows: pruneStep}), "old event segments", "")
		if err := s.Commit(ctx, b); err != nil {
			return err
		}
	}
	return nil
}
