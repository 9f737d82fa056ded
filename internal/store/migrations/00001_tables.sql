-- +goose Up

-- Times are milliseconds since 1970 in UTC; 0 means never. JSON is text. Every
-- column but the keys has a default, so that a database from before Mix kept
-- its schema by number can be given the columns it lacks (see adopt.go, which
-- reads this file: one column to a line). Long texts come last in a row, so
-- that reading the other columns does not walk through them.

CREATE TABLE IF NOT EXISTS sessions (
  id TEXT PRIMARY KEY NOT NULL,
  project_path TEXT NOT NULL DEFAULT '',
  title TEXT NOT NULL DEFAULT '',
  title_given INTEGER NOT NULL DEFAULT 0,
  model TEXT NOT NULL DEFAULT '',
  kind TEXT NOT NULL DEFAULT 'main',
  parent_session_id TEXT NOT NULL DEFAULT '',
  parent_tool_call_id TEXT NOT NULL DEFAULT '',
  subagent_type TEXT NOT NULL DEFAULT '',
  total_tokens INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  cache_read_tokens INTEGER NOT NULL DEFAULT 0,
  cache_write_tokens INTEGER NOT NULL DEFAULT 0,
  reasoning_tokens INTEGER NOT NULL DEFAULT 0,
  cost_usd REAL NOT NULL DEFAULT 0,
  cost_unknown INTEGER NOT NULL DEFAULT 0,
  message_count INTEGER NOT NULL DEFAULT 0,
  user_message_count INTEGER NOT NULL DEFAULT 0,
  assistant_message_count INTEGER NOT NULL DEFAULT 0,
  tool_call_count INTEGER NOT NULL DEFAULT 0,
  reserved_events INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL DEFAULT 0,
  updated_at INTEGER NOT NULL DEFAULT 0,
  browser_mode TEXT NOT NULL DEFAULT '',
  cdp_url TEXT NOT NULL DEFAULT '',
  prompt_mode TEXT NOT NULL DEFAULT '',
  policy TEXT NOT NULL DEFAULT '{}',
  callbacks TEXT NOT NULL DEFAULT '[]',
  first_user_message TEXT NOT NULL DEFAULT '',
  custom_prompt TEXT NOT NULL DEFAULT '',
  system_prompt TEXT NOT NULL DEFAULT ''
) STRICT;

-- A message that waits in the queue has no sequence yet.
CREATE TABLE IF NOT EXISTS messages (
  id TEXT PRIMARY KEY NOT NULL,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  run_id TEXT NOT NULL DEFAULT '',
  sequence INTEGER,
  role TEXT NOT NULL DEFAULT 'user',
  content_type TEXT NOT NULL DEFAULT 'text',
  tokens INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  cache_read_tokens INTEGER NOT NULL DEFAULT 0,
  cache_write_tokens INTEGER NOT NULL DEFAULT 0,
  reasoning_tokens INTEGER NOT NULL DEFAULT 0,
  cost_usd REAL NOT NULL DEFAULT 0,
  cost_unknown INTEGER NOT NULL DEFAULT 0,
  reasoning_ms INTEGER NOT NULL DEFAULT 0,
  event_seq INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL DEFAULT 0,
  updated_at INTEGER NOT NULL DEFAULT 0,
  model TEXT NOT NULL DEFAULT '',
  finish_reason TEXT NOT NULL DEFAULT '',
  content TEXT NOT NULL DEFAULT '',
  CHECK (content_type IN ('text', 'blocks'))
) STRICT;

CREATE TABLE IF NOT EXISTS runs (
  id TEXT PRIMARY KEY NOT NULL,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  message_id TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'queued',
  reason TEXT NOT NULL DEFAULT '',
  plan_mode INTEGER NOT NULL DEFAULT 0,
  effort TEXT NOT NULL DEFAULT '',
  max_steps INTEGER NOT NULL DEFAULT 0,
  steps INTEGER NOT NULL DEFAULT 0,
  event_seq INTEGER NOT NULL DEFAULT 0,
  idempotency_key TEXT NOT NULL DEFAULT '',
  digest TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL DEFAULT 0,
  started_at INTEGER NOT NULL DEFAULT 0,
  ended_at INTEGER NOT NULL DEFAULT 0,
  error_type TEXT NOT NULL DEFAULT '',
  error TEXT NOT NULL DEFAULT ''
) STRICT;

-- The journal: one row for each tool call.
CREATE TABLE IF NOT EXISTS tool_calls (
  id TEXT PRIMARY KEY NOT NULL,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
  run_id TEXT NOT NULL DEFAULT '',
  call_id TEXT NOT NULL DEFAULT '',
  place INTEGER NOT NULL DEFAULT 0,
  tool TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'proposed',
  request_id TEXT NOT NULL DEFAULT '',
  is_error INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL DEFAULT 0,
  started_at INTEGER NOT NULL DEFAULT 0,
  ended_at INTEGER NOT NULL DEFAULT 0,
  input TEXT NOT NULL DEFAULT '{}',
  result TEXT NOT NULL DEFAULT '',
  text TEXT NOT NULL DEFAULT ''
) STRICT;

-- Encoded events, numbers first to last. bytes is the length of data.
CREATE TABLE IF NOT EXISTS segments (
  id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  first INTEGER NOT NULL DEFAULT 0,
  last INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  data BLOB NOT NULL DEFAULT x''
) STRICT;

-- The audit trail. Requests and decisions name their session by value and
-- outlive it. position orders both tables together; hash chains them (see
-- chain.go).
CREATE TABLE IF NOT EXISTS requests (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  session_id TEXT NOT NULL DEFAULT '',
  session_name TEXT NOT NULL DEFAULT '',
  run_id TEXT NOT NULL DEFAULT '',
  call_id TEXT NOT NULL DEFAULT '',
  kind TEXT NOT NULL DEFAULT '',
  tool TEXT NOT NULL DEFAULT '',
  capability TEXT NOT NULL DEFAULT '',
  asked INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL DEFAULT 0,
  prev_hash TEXT NOT NULL DEFAULT '',
  hash TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '',
  target TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  input TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE IF NOT EXISTS decisions (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  request_id TEXT NOT NULL UNIQUE REFERENCES requests (id),
  session_id TEXT NOT NULL DEFAULT '',
  outcome TEXT NOT NULL DEFAULT '',
  decided_by TEXT NOT NULL DEFAULT '',
  rule TEXT NOT NULL DEFAULT '',
  scope TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL DEFAULT 0,
  prev_hash TEXT NOT NULL DEFAULT '',
  hash TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '',
  input TEXT NOT NULL DEFAULT ''
) STRICT;

-- The requests that a person was asked and that have no decision yet; kept by
-- triggers, so that a start need not search the whole trail for them.
CREATE TABLE IF NOT EXISTS open_requests (
  request_id TEXT PRIMARY KEY NOT NULL REFERENCES requests (id)
) STRICT, WITHOUT ROWID;

-- A grant belongs to a session, or to a project and then has no session.
CREATE TABLE IF NOT EXISTS grants (
  id TEXT PRIMARY KEY NOT NULL,
  session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
  project TEXT NOT NULL DEFAULT '',
  rule TEXT NOT NULL DEFAULT '',
  outcome TEXT NOT NULL DEFAULT '',
  request_id TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL DEFAULT 0
) STRICT;
