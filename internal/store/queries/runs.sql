-- name: AddRun :exec
INSERT INTO runs (
  id, session_id, message_id, state, reason, plan_mode, effort, max_steps, steps, event_seq, idempotency_key, digest,
  created_at, started_at, ended_at, error_type, error
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: UpdateRun :exec
UPDATE runs SET
  state = ?, reason = ?, error = ?, error_type = ?, steps = ?, event_seq = ?, started_at = ?, ended_at = ?
WHERE id = ?;

-- name: GetRun :one
SELECT * FROM runs WHERE id = ?;

-- name: RunByKey :one
SELECT * FROM runs WHERE session_id = ? AND idempotency_key = ? AND idempotency_key <> '';

-- name: RunByDigest :one
SELECT * FROM runs
WHERE session_id = @session_id AND created_at >= @since AND digest = @digest AND digest <> ''
ORDER BY created_at DESC, id DESC
LIMIT 1;

-- name: ListRuns :many
SELECT * FROM runs WHERE session_id = ? ORDER BY created_at DESC, id DESC LIMIT ?;

-- name: UnfinishedRuns :many
SELECT * FROM runs WHERE state IN ('queued', 'running') ORDER BY created_at, id;

-- name: AddCall :exec
INSERT INTO tool_calls (
  id, session_id, message_id, run_id, call_id, place, tool, state, request_id, is_error, created_at, started_at, ended_at,
  input, result, text
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: StartCall :exec
UPDATE tool_calls SET state = 'started', started_at = ?
WHERE id = ? AND state IN ('proposed', 'asked', 'allowed');

-- name: SetCall :exec
-- Only forward: a call that was started or has ended keeps its state.
UPDATE tool_calls SET state = ?
WHERE id = ? AND state IN ('proposed', 'asked', 'allowed');

-- name: EndCall :exec
UPDATE tool_calls SET state = ?, is_error = ?, ended_at = ?, result = ?, text = ?
WHERE id = ? AND state IN ('proposed', 'asked', 'allowed', 'started');

-- name: CallExists :one
SELECT COUNT(*) FROM tool_calls WHERE id = ?;

-- name: GetCall :one
SELECT * FROM tool_calls WHERE id = ?;

-- name: UnfinishedCalls :many
SELECT * FROM tool_calls WHERE state IN ('proposed', 'asked', 'allowed', 'started') ORDER BY created_at, id;
