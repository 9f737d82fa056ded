-- name: AddSegment :exec
-- A session that is gone gets no segment; a segment that is stored stays.
INSERT INTO segments (session_id, first, last, created_at, bytes, data)
SELECT sessions.id, CAST(@first AS INTEGER), CAST(@last AS INTEGER), CAST(@created_at AS INTEGER), CAST(@bytes AS INTEGER), CAST(@data AS BLOB)
FROM sessions WHERE sessions.id = @session_id
ON CONFLICT (session_id, last) DO NOTHING;

-- name: SegmentsAfter :many
SELECT first, last, created_at, data FROM segments WHERE session_id = ? AND last > ? ORDER BY last;

-- name: FirstSegment :one
SELECT first FROM segments WHERE session_id = ? ORDER BY last LIMIT 1;

-- name: SegmentSizes :many
-- Newest first.
SELECT id, created_at, bytes FROM segments ORDER BY created_at DESC, id DESC;

-- name: PruneSegments :exec
-- At most so many of those up to the given place in the order of age.
DELETE FROM segments WHERE id IN (
  SELECT s.id FROM segments s
  WHERE (s.created_at, s.id) <= (CAST(@created_at AS INTEGER), CAST(@up_to AS INTEGER))
  ORDER BY s.created_at, s.id
  LIMIT @max_rows
);
