-- name: AddRequest :exec
-- The last three values are set by the writer (chain.go).
INSERT INTO requests (
  id, session_id, session_name, run_id, call_id, kind, tool, capability, asked, created_at, reason, target, description, input,
  position, prev_hash, hash
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: AddDecision :exec
-- The last three values are set by the writer (chain.go).
INSERT INTO decisions (
  id, request_id, session_id, outcome, decided_by, rule, scope, created_at, reason, input, position, prev_hash, hash
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: LastRequest :one
SELECT position, hash FROM requests ORDER BY position DESC LIMIT 1;

-- name: LastDecision :one
SELECT position, hash FROM decisions ORDER BY position DESC LIMIT 1;

-- name: GetRequest :one
SELECT * FROM requests WHERE id = ?;

-- name: DecisionOf :one
SELECT * FROM decisions WHERE request_id = ?;

-- name: OpenRequests :many
-- A cross join keeps the order of the tables: the few, then their rows.
SELECT requests.* FROM open_requests CROSS JOIN requests ON requests.id = open_requests.request_id
ORDER BY requests.position;

-- name: ListRequests :many
SELECT * FROM requests WHERE position < CAST(@before AS INTEGER) ORDER BY position DESC LIMIT @max_rows;

-- name: ListSessionRequests :many
SELECT * FROM requests
WHERE session_id = @session_id AND position < CAST(@before AS INTEGER)
ORDER BY position DESC
LIMIT @max_rows;

-- name: RequestsAfter :many
SELECT * FROM requests WHERE position > ? ORDER BY position LIMIT ?;

-- name: DecisionsAfter :many
SELECT * FROM decisions WHERE position > ? ORDER BY position LIMIT ?;

-- name: RequestPosition :one
SELECT position FROM requests WHERE id = ?;

-- name: AddGrant :exec
INSERT INTO grants (id, session_id, project, rule, outcome, request_id, created_at) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: ListGrants :many
SELECT * FROM grants
WHERE session_id = @session_id OR (project = @project AND project <> '' AND session_id IS NULL)
ORDER BY created_at, id;
