package eventlog

import (
	"context"
	"time"

	"github.com/mixagent/mix/internal/domain"
)

// Segment is a run of consecutive events of one session as it is kept on disk.
// Numbers inside a segment strictly increase but may have gaps.
type Segment struct {
	SessionID string
	// First and Last are the lowest and the highest event number inside.
	First, Last int64
	// Data is framed privately by this package; an archive stores it as it is.
	Data      []byte
	CreatedAt time.Time
}

// Archive is the durable side of the log. Its methods are safe for concurrent
// use. Errors for an unknown session wrap domain.ErrNotFound.
type Archive interface {
	// Reserve records that numbers up to upTo may be in use in the session.
	// A bound never goes down: the archive keeps max(old, upTo).
	Reserve(ctx context.Context, session string, upTo int64) error
	// Reserved returns the highest bound recorded for the session.
	Reserved(ctx context.Context, session string) (int64, error)
	// SaveSegments stores all segments in one transaction. Segments of
	// sessions that are gone are left out without an error.
	SaveSegments(ctx context.Context, segments []Segment) error
	// LoadSegments returns the segments of the session with Last > after in
	// order, about maxBytes of data, at least one if there is any.
	LoadSegments(ctx context.Context, session string, after int64, maxBytes int) ([]Segment, error)
	// FirstSegment returns the lowest event number still in a segment of the
	// session, 0 when there is none.
	FirstSegment(ctx context.Context, session string) (int64, error)
	// MessagesByEvent returns the placed messages of the session with
	// after < EventSeq <= upTo by EventSeq.
	MessagesByEvent(ctx context.Context, session string, after, upTo int64) ([]domain.Message, error)
	// PruneSegments deletes segments created before olderThan and, oldest
	// first, as many more as are needed to keep at most maxBytes of data.
	PruneSegments(ctx context.Context, olderThan time.Time, maxBytes int64) error
}
