-- +goose Up

CREATE INDEX IF NOT EXISTS sessions_updated ON sessions (updated_at);

CREATE UNIQUE INDEX IF NOT EXISTS messages_place ON messages (session_id, sequence);
CREATE INDEX IF NOT EXISTS messages_event ON messages (session_id, event_seq);
CREATE INDEX IF NOT EXISTS messages_user ON messages (created_at, id) WHERE role = 'user';

CREATE INDEX IF NOT EXISTS runs_session ON runs (session_id, created_at);
CREATE UNIQUE INDEX IF NOT EXISTS runs_key ON runs (session_id, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX IF NOT EXISTS runs_unfinished ON runs (created_at, id) WHERE state IN ('queued', 'running');
CREATE INDEX IF NOT EXISTS runs_ended ON runs (ended_at) WHERE ended_at > 0;

CREATE UNIQUE INDEX IF NOT EXISTS tool_calls_message ON tool_calls (message_id, place);
CREATE INDEX IF NOT EXISTS tool_calls_session ON tool_calls (session_id);
CREATE INDEX IF NOT EXISTS tool_calls_unfinished ON tool_calls (created_at, id)
  WHERE state IN ('proposed', 'asked', 'allowed', 'started');

CREATE UNIQUE INDEX IF NOT EXISTS segments_place ON segments (session_id, last);
CREATE INDEX IF NOT EXISTS segments_age ON segments (created_at, id, bytes);

CREATE INDEX IF NOT EXISTS requests_session ON requests (session_id, position);

CREATE INDEX IF NOT EXISTS grants_session ON grants (session_id);
CREATE INDEX IF NOT EXISTS grants_project ON grants (project);

-- +goose StatementBegin
CREATE TRIGGER IF NOT EXISTS requests_stay BEFORE UPDATE ON requests
BEGIN
  SELECT RAISE(ABORT, 'requests are only ever added');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER IF NOT EXISTS requests_remain BEFORE DELETE ON requests
BEGIN
  SELECT RAISE(ABORT, 'requests are only ever added');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER IF NOT EXISTS decisions_stay BEFORE UPDATE ON decisions
BEGIN
  SELECT RAISE(ABORT, 'decisions are only ever added');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER IF NOT EXISTS decisions_remain BEFORE DELETE ON decisions
BEGIN
  SELECT RAISE(ABORT, 'decisions are only ever added');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER IF NOT EXISTS requests_open AFTER INSERT ON requests WHEN NEW.asked = 1
BEGIN
  INSERT INTO open_requests (request_id) VALUES (NEW.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER IF NOT EXISTS requests_close AFTER INSERT ON decisions
BEGIN
  DELETE FROM open_requests WHERE request_id = NEW.request_id;
END;
-- +goose StatementEnd
