package daemon_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// strictClient is as strict as the strictest of the published clients: a
// missing required key, a null for an optional one, a stranger in an
// enumeration, a status or a content type that is not the documented one, and
// anything in a stream but complete blocks of the sixteen events fails the
// test. It sends what the published Go client sends.
type strictClient struct {
	t    *testing.T
	base string
	http *http.Client
}

func newStrictClient(t *testing.T, base string) *strictClient {
	return &strictClient{t: t, base: base, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// kind checks one JSON value; numbers come as json.Number.
type kind func(v any) error

func isString(v any) error {
	if _, ok := v.(string); !ok {
		return fmt.Errorf("want a string, got %T", v)
	}
	return nil
}

func isBool(v any) error {
	if _, ok := v.(bool); !ok {
		return fmt.Errorf("want a boolean, got %T", v)
	}
	return nil
}

func isInt(v any) error {
	n, ok := v.(json.Number)
	if !ok || strings.ContainsAny(n.String(), ".eE") {
		return fmt.Errorf("want an integer literal, got %v", v)
	}
	return nil
}

func isNumber(v any) error {
	n, ok := v.(json.Number)
	if !ok {
		return fmt.Errorf("want a number, got %T", v)
	}
	f, err := n.Float64()
	if err != nil || math.IsNaN(f) {
		return fmt.Errorf("want a number, got %v", v)
	}
	return nil
}

func isTime(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("want a time, got %T", v)
	}
	_, err := time.Parse(time.RFC3339Nano, s)
	return err
}

func isObject(v any) error {
	if _, ok := v.(map[string]any); !ok {
		return fmt.Errorf("want an object, got %T", v)
	}
	return nil
}

func isJSONText(v any) error {
	s, ok := v.(string)
	if !ok || !json.Valid([]byte(s)) {
		return fmt.Errorf("want JSON text, got %v", v)
	}
	return nil
}

func oneOf(words ...string) kind {
	return func(v any) error {
		if s, ok := v.(string); !ok || !slices.Contains(words, s) {
			return fmt.Errorf("%v is none of %v", v, words)
		}
		return nil
	}
}

func listOf(k kind) kind {
	return func(v any) error {
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("want a list, got %T", v)
		}
		for i, item := range list {
			if err := k(item); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	}
}

// schema is an object of the contract: required keys end in "*". Keys that are
// not named are extras, which every client skips.
type schema map[string]kind

func (s schema) check(v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("want an object, got %T", v)
	}
	for name, k := range s {
		key, required := strings.CutSuffix(name, "*")
		value, present := m[key]
		switch {
		case !present && required:
			return fmt.Errorf("required key %q is missing", key)
		case !present:
			continue
		case value == nil:
			return fmt.Errorf("key %q is null", key)
		}
		if err := k(value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// The schemas of the contract that this server answers with so far.
var (
	callbackSchema = schema{
		"toolName*": isString, "type*": oneOf("bash_script", "sub_agent", "send_message"), "name": isString,
		"bashCommand": isString, "bashTimeout": isInt, "subAgentPrompt": isString, "subAgentType": isString,
		"includeFullHistory": isBool, "messageContent": isString, "excludeFromContext": isBool,
	}
	sessionSchema = schema{
		"id*": isString, "title*": isString, "sessionType*": oneOf("main", "subagent"),
		"browserMode*": oneOf("electron-embedded-browser", "local-browser-service", "remote-cdp-websocket"),
		"createdAt*":   isTime, "userMessageCount*": isInt, "assistantMessageCount*": isInt, "toolCallCount*": isInt,
		"promptTokens*": isInt, "completionTokens*": isInt, "cost*": isNumber, "callbacks": listOf(callbackSchema.check),
		"cdpUrl": isString, "firstUserMessage": isString, "parentSessionId": isString, "parentToolCallId": isString,
		"subagentType": oneOf("general-purpose"), "modelId": isString, "provider": isString,
	}
	toolCallSchema = schema{
		"id*": isString, "name*": isString, "input*": isJSONText, "type*": isString, "finished*": isBool,
		"result": isJSONText, "isError": isBool, "screenshotUrls": listOf(isString),
	}
	messageSchema = schema{
		"id*": isString, "sessionId*": isString, "role*": isString, "userInput*": isString,
		"assistantResponse": isString, "reasoning": isString, "reasoningDuration": isInt,
		"toolCalls": listOf(toolCallSchema.check), "callbackResults": listOf(isObject), "model": isString,
		"inputTokens": isInt, "outputTokens": isInt, "cacheCreationTokens": isInt, "cacheReadTokens": isInt, "cost": isNumber,
	}
	exportSchema = schema{
		"id*": isString, "title*": isString, "createdAt": isTime, "updatedAt": isTime,
		"messages*": listOf(schema{
			"id*": isString, "role*": isString, "content*": isString, "createdAt*": isTime, "updatedAt*": isTime,
			"reasoning": isString, "reasoningDuration": isInt, "finishReason": isString, "model": isString, "timestamp": isTime,
			"toolCalls": listOf(schema{
				"id*": isString, "name*": isString, "input*": isJSONText, "type*": isString, "finished*": isBool,
				"inputJson": isObject, "result": isString, "screenshotUrls": listOf(isString),
			}.check),
		}.check),
	}
	errorSchema = schema{"error*": schema{
		"code*": isInt, "message*": isString,
		"type*": oneOf("bad_request", "not_found", "internal_error", "unauthorized", "validation_error"),
	}.check}
)

// typed is the schema of an event's data with the key "type".
func typed(name string, s schema) schema {
	s["type*"] = oneOf(name)
	s["parentToolCallId"] = isString
	s["assistantMessageId"] = isString
	return s
}

// eventSchemas are the sixteen events; any other name ends a client's stream.
var eventSchemas = map[string]schema{
	"connected": {"sessionId*": isString},
	"heartbeat": {"type*": oneOf("ping")},
	"error": {
		"error*": isString, "type": isString, "retryAfter": isInt, "attempt": isInt, "maxAttempts": isInt,
		"parentToolCallId": isString,
	},
	"complete": typed("complete", schema{
		"done*": isBool, "content": isString, "messageId": isString, "reasoning": isString, "reasoningDuration": isInt,
	}),
	"thinking":                 typed("thinking", schema{"content*": isString}),
	"content":                  typed("content", schema{"content*": isString}),
	"tool_use_start":           typed("tool_use_start", schema{"id*": isString, "name*": isString}),
	"tool_use_parameter_delta": typed("tool_use_parameter_delta", schema{"toolCallId*": isString, "input*": isString}),
	"tool_use_parameter_streaming_complete": typed("tool_use_parameter_streaming_complete",
		schema{"id*": isString, "name*": isString, "input*": isJSONText}),
	"tool_execution_start": typed("tool_execution_start",
		schema{"toolName*": isString, "progress*": isString, "toolCallId*": isString}),
	"tool_execution_complete": typed("tool_execution_complete",
		schema{"toolName*": isString, "progress*": isString, "success*": isBool, "toolCallId*": isString}),
	"permission": typed("permission", schema{
		"id*": isString, "sessionId*": isString, "toolName*": isString, "description*": isString, "action*": isString,
		"path": isString, "params": isObject,
	}),
	"notification": typed("notification", schema{
		"id*": isString, "sessionId*": isString, "notificationType*": oneOf("info", "warning", "error", "question"),
		"title*": isString, "message*": isString, "responseType*": oneOf("acknowledge", "text", "choice"),
		"timeout*": isInt, "createdAt*": isInt, "choices": listOf(isString),
	}),
	"user_message_created": typed("user_message_created", schema{"messageId*": isString, "content*": isString}),
	"session_created":      typed("session_created", schema{"sessionId*": isString, "title*": isString, "createdAt*": isInt}),
	"session_deleted":      typed("session_deleted", schema{"sessionId*": isString}),
}

// decodeStrict reads one JSON value without losing the form of its numbers.
func decodeStrict(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

// call sends a request and holds the answer against status and check.
func (c *strictClient) call(method, path, body string, status int, check kind) map[string]any {
	c.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, r)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "speakeasy-sdk/go 0.2.2 2.823.1 1.0.0 github.com/recreate-run/mix-go-sdk")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if resp.StatusCode != status {
		c.t.Fatalf("%s %s: status %d, want %d: %s", method, path, resp.StatusCode, status, data)
	}
	if status == http.StatusNoContent {
		return nil
	}
	if ct := resp.Header.Get("Content-Type"); ct != "application/json" {
		c.t.Fatalf("%s %s: content type %q", method, path, ct)
	}
	v, err := decodeStrict(data)
	if err != nil {
		c.t.Fatalf("%s %s: %v: %s", method, path, err, data)
	}
	if status >= 400 {
		check = errorSchema.check
	}
	if err := check(v); err != nil {
		c.t.Fatalf("%s %s: %v: %s", method, path, err, data)
	}
	if m, ok := v.(map[string]any); ok {
		if e, ok := m["error"].(map[string]any); ok && e["code"].(json.Number).String() != strconv.Itoa(status) {
			c.t.Fatalf("%s %s: error code %v with status %d", method, path, e["code"], status)
		}
		return m
	}
	return map[string]any{"list": v}
}

// strictEvent is one event of a stream.
type strictEvent struct {
	id   int64
	name string
	data map[string]any
}

func (e strictEvent) str(key string) string {
	s, _ := e.data[key].(string)
	return s
}

// strictStream reads a stream and fails at the first thing that would end a
// published client's.
type strictStream struct {
	t    *testing.T
	body io.ReadCloser
	r    *bufio.Reader
	last int64
}

func (c *strictClient) stream(session, lastEventID string) *strictStream {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.base+"/stream?sessionId="+session, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" ||
		resp.Header.Get("Cache-Control") != "no-cache" || resp.Header.Get("Content-Encoding") != "" {
		c.t.Fatalf("stream: %d %v", resp.StatusCode, resp.Header)
	}
	c.t.Cleanup(func() { resp.Body.Close() })
	s := &strictStream{t: c.t, body: resp.Body, r: bufio.NewReader(resp.Body), last: -1}
	if first := s.next(); first.name != "connected" || first.str("sessionId") != session {
		c.t.Fatalf("first event: %+v", first)
	}
	return s
}

// next returns the next event.
func (s *strictStream) next() strictEvent {
	s.t.Helper()
	ev, err := s.read()
	if err != nil {
		s.t.Fatalf("stream: %v", err)
	}
	return ev
}

// until returns the events up to and including the first with the name.
func (s *strictStream) until(name string) []strictEvent {
	s.t.Helper()
	var out []strictEvent
	for {
		ev := s.next()
		if ev.name != "heartbeat" {
			out = append(out, ev)
		}
		if ev.name == name {
			return out
		}
	}
}

func (s *strictStream) read() (strictEvent, error) {
	fields := map[string][]string{}
	size := 0
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return strictEvent{}, fmt.Errorf("ended in the middle of a block: %w", err)
		}
		if size += len(line); size > 65_536 {
			return strictEvent{}, errors.New("a block above 65,536 bytes")
		}
		if strings.HasSuffix(line, "\r\n") {
			return strictEvent{}, errors.New("a line ends in CR LF")
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok || !slices.Contains([]string{"id", "event", "data", "retry"}, name) {
			return strictEvent{}, fmt.Errorf("line %q", line)
		}
		fields[name] = append(fields[name], value)
	}
	for _, name := range []string{"id", "event", "data"} {
		if len(fields[name]) != 1 {
			return strictEvent{}, fmt.Errorf("a block with %d lines of %s: %v", len(fields[name]), name, fields)
		}
	}
	return s.check(fields["id"][0], fields["event"][0], fields["data"][0])
}

func (s *strictStream) check(id, name, data string) (strictEvent, error) {
	schema, known := eventSchemas[name]
	if !known {
		return strictEvent{}, fmt.Errorf("unknown event %q", name)
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return strictEvent{}, fmt.Errorf("id %q: %w", id, err)
	}
	v, err := decodeStrict([]byte(data))
	if err != nil {
		return strictEvent{}, fmt.Errorf("%s: %w: %s", name, err, data)
	}
	if err := schema.check(v); err != nil {
		return strictEvent{}, fmt.Errorf("%s: %w: %s", name, err, data)
	}
	if name == "connected" || name == "heartbeat" {
		if n < s.last {
			return strictEvent{}, fmt.Errorf("%s goes back from %d to %d", name, s.last, n)
		}
		s.last = max(s.last, n)
	} else {
		if n <= s.last {
			return strictEvent{}, fmt.Errorf("%s has number %d after %d", name, n, s.last)
		}
		s.last = n
	}
	return strictEvent{id: n, name: name, data: v.(map[string]any)}, nil
}
