-- name: AddMessage :exec
-- A sequence of 0 means: the next place of the session.
INSERT INTO messages (
  id, session_id, run_id, sequence, role, content_type, tokens, input_tokens, output_tokens, cache_read_tokens,
  cache_write_tokens, reasoning_tokens, cost_usd, cost_unknown, reasoning_ms, event_seq, created_at, updated_at,
  model, finish_reason, content
) VALUES (
  @id, @session_id, @run_id,
  COALESCE(
    NULLIF(CAST(@sequence AS INTEGER), 0),
    (SELECT COALESCE(MAX(m.sequence), 0) + 1 FROM messages m WHERE m.session_id = @session_id)
  ),
  @role, @content_type, @tokens, @input_tokens, @output_tokens, @cache_read_tokens,
  @cache_write_tokens, @reasoning_tokens, @cost_usd, @cost_unknown, @reasoning_ms, @event_seq, @created_at, @updated_at,
  @model, @finish_reason, @content
);

-- name: QueueMessage :exec
INSERT INTO messages (
  id, session_id, run_id, role, content_type, event_seq, created_at, updated_at, model, content
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: PlaceMessage :exec
UPDATE messages SET
  sequence = (SELECT COALESCE(MAX(m.sequence), 0) + 1 FROM messages m WHERE m.session_id = messages.session_id)
WHERE messages.id = @id AND messages.sequence IS NULL;

-- name: DeleteQueued :exec
DELETE FROM messages WHERE id = ? AND sequence IS NULL;

-- name: MessageExists :one
SELECT COUNT(*) FROM messages WHERE id = ?;

-- name: LastMessages :many
-- Newest first, so that the limit keeps the last ones.
SELECT * FROM messages
WHERE session_id = @session_id AND sequence < CAST(@before AS INTEGER)
ORDER BY sequence DESC
LIMIT @max_rows;

-- name: QueuedMessages :many
SELECT * FROM messages WHERE session_id = ? AND sequence IS NULL ORDER BY created_at, id;

-- name: UserMessages :many
SELECT * FROM messages
WHERE role = 'user' AND sequence IS NOT NULL
ORDER BY created_at DESC, id DESC
LIMIT @max_rows OFFSET @skip;

-- name: MessagesByEvent :many
SELECT * FROM messages
WHERE session_id = @session_id AND event_seq > @after AND event_seq <= @up_to AND sequence IS NOT NULL
ORDER BY event_seq, sequence;

-- name: CallsBySequence :many
-- The calls of the messages from one place of a session to another, without
-- results that are longer than longest.
SELECT tool_calls.id, tool_calls.session_id, tool_calls.message_id, tool_calls.run_id, tool_calls.call_id,
  tool_calls.place, tool_calls.tool, tool_calls.state, tool_calls.request_id, tool_calls.is_error,
  tool_calls.created_at, tool_calls.started_at, tool_calls.ended_at, tool_calls.input,
  CAST(CASE WHEN length(tool_calls.result) > CAST(@longest AS INTEGER) THEN '' ELSE tool_calls.result END AS TEXT) AS result,
  tool_calls.text
FROM messages JOIN tool_calls ON tool_calls.message_id = messages.id
WHERE messages.session_id = @session_id AND messages.sequence BETWEEN CAST(@first AS INTEGER) AND CAST(@last AS INTEGER)
ORDER BY messages.sequence, tool_calls.place;
