// Package db is what sqlc makes of the queries of the store, and, in this file,
// the same queries read row by row where a result may be large.
package db

import "context"

// EachSegmentAfter calls fn with the rows of SegmentsAfter until it returns
// false.
func (q *Queries) EachSegmentAfter(ctx context.Context, arg SegmentsAfterParams, fn func(SegmentsAfterRow) bool) error {
	rows, err := q.db.QueryContext(ctx, segmentsAfter, arg.SessionID, arg.Last)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r SegmentsAfterRow
		if err := rows.Scan(&r.First, &r.Last, &r.CreatedAt, &r.Data); err != nil {
			return err
		}
		if !fn(r) {
			return rows.Close()
		}
	}
	return rows.Err()
}

// EachSegmentSize calls fn with the rows of SegmentSizes.
func (q *Queries) EachSegmentSize(ctx context.Context, fn func(SegmentSizesRow)) error {
	rows, err := q.db.QueryContext(ctx, segmentSizes)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r SegmentSizesRow
		if err := rows.Scan(&r.ID, &r.CreatedAt, &r.Bytes); err != nil {
			return err
		}
		fn(r)
	}
	return rows.Err()
}
