-- name: CreateSession :exec
INSERT INTO sessions (
  id, project_path, title, title_given, model, kind, parent_session_id, parent_tool_call_id, subagent_type,
  reserved_events, created_at, updated_at, browser_mode, cdp_url, prompt_mode, policy, callbacks, custom_prompt, system_prompt
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: SetTitle :exec
-- A derived title never takes the place of one that somebody chose.
UPDATE sessions SET
  title = CASE WHEN CAST(@given AS INTEGER) = 1 OR title_given = 0 THEN CAST(@title AS TEXT) ELSE title END,
  title_given = MAX(title_given, CAST(@given AS INTEGER))
WHERE id = @id;

-- name: SetModel :exec
UPDATE sessions SET model = ? WHERE id = ?;

-- name: SetPolicy :exec
UPDATE sessions SET policy = ? WHERE id = ?;

-- name: SetSystemPrompt :exec
UPDATE sessions SET system_prompt = ? WHERE id = ?;

-- name: SetDirectory :exec
UPDATE sessions SET project_path = ? WHERE id = ?;

-- name: SetCallbacks :exec
UPDATE sessions SET callbacks = ? WHERE id = ?;

-- name: DeleteSession :exec
DELETE FROM sessions WHERE id = ?;

-- name: ReserveEvents :exec
UPDATE sessions SET reserved_events = MAX(reserved_events, CAST(@up_to AS INTEGER)) WHERE id = @id;

-- name: CountMessage :exec
UPDATE sessions SET
  message_count = message_count + 1,
  user_message_count = user_message_count + @users,
  assistant_message_count = assistant_message_count + @assistants,
  total_tokens = total_tokens + @tokens,
  input_tokens = input_tokens + @input_tokens,
  output_tokens = output_tokens + @output_tokens,
  cache_read_tokens = cache_read_tokens + @cache_read_tokens,
  cache_write_tokens = cache_write_tokens + @cache_write_tokens,
  reasoning_tokens = reasoning_tokens + @reasoning_tokens,
  cost_usd = cost_usd + @cost_usd,
  cost_unknown = MAX(cost_unknown, CAST(@unknown AS INTEGER)),
  first_user_message = CASE WHEN first_user_message = '' THEN CAST(@first_user_message AS TEXT) ELSE first_user_message END,
  updated_at = MAX(updated_at, CAST(@at AS INTEGER))
WHERE id = @id;

-- name: NoteFirstMessage :exec
UPDATE sessions SET
  first_user_message = CASE WHEN first_user_message = '' THEN CAST(@first_user_message AS TEXT) ELSE first_user_message END,
  updated_at = MAX(updated_at, CAST(@at AS INTEGER))
WHERE id = @id;

-- name: CountPlaced :exec
UPDATE sessions SET
  message_count = message_count + 1,
  user_message_count = user_message_count + 1
WHERE sessions.id = (SELECT messages.session_id FROM messages WHERE messages.id = @message_id);

-- name: CountCalls :exec
UPDATE sessions SET tool_call_count = tool_call_count + @calls WHERE id = @id;

-- name: GetSession :one
SELECT * FROM sessions WHERE id = ?;

-- name: ReservedEvents :one
SELECT reserved_events FROM sessions WHERE id = ?;

-- name: ListSessions :many
SELECT * FROM sessions
WHERE (CAST(@subagents AS INTEGER) = 1 OR kind <> 'subagent')
  AND (CAST(@directory AS TEXT) = '' OR project_path = CAST(@directory AS TEXT))
ORDER BY updated_at DESC, id DESC
LIMIT @max_rows;
