package daemon_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

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
	callbackResultSchema = schema{
		"tool_call_id*": isString, "tool_name*": isString, "callback_type*": oneOf("bash_script", "sub_agent", "send_message"),
		"success*": isBool, "callback_name": isString, "stdout": isString, "stderr": isString, "exit_code": isInt,
		"subagent_id": isString, "subagent_result": isString, "error": isString, "exclude_from_context": isBool,
	}
	messageSchema = schema{
		"id*": isString, "sessionId*": isString, "role*": isString, "userInput*": isString,
		"assistantResponse": isString, "reasoning": isString, "reasoningDuration": isInt,
		"toolCalls": listOf(toolCallSchema.check), "callbackResults": listOf(callbackResultSchema.check), "model": isString,
		"inputTokens": isInt, "outputTokens": isInt, "cacheCreationTokens": isInt, "cacheReadTokens": isInt, "cost": isNumber,
	}
	// The export has what its checklist asks for beyond the schema: sessionType,
	// timestamp, metadata and isError.
	exportSchema = schema{
		"id*": isString, "title*": isString, "createdAt*": isTime, "updatedAt*": isTime, "sessionType*": isString,
		"userMessageCount": isInt, "assistantMessageCount": isInt, "toolCallCount": isInt,
		"promptTokens": isInt, "completionTokens": isInt, "cost": isNumber,
		"messages*": listOf(schema{
			"id*": isString, "role*": isString, "content*": isString, "createdAt*": isTime, "updatedAt*": isTime,
			"reasoning": isString, "reasoningDuration": isInt, "finishReason": isString, "model": isString, "timestamp*": isTime,
			"toolCalls": listOf(schema{
				"id*": isString, "name*": isString, "input*": isJSONText, "type*": isString, "finished*": isBool,
				"inputJson": isObject, "result": isString, "screenshotUrls": listOf(isString), "metadata*": isString, "isError*": isBool,
			}.check),
		}.check),
	}
	acceptedSchema  = schema{"status*": oneOf("processing"), "sessionId*": isString}
	cancelledSchema = schema{"cancelled*": isBool, "status*": isString, "sessionId*": isString}
	grantedSchema   = schema{"granted*": isBool, "status*": oneOf("granted"), "id*": isString, "message*": isString}
	deniedSchema    = schema{"denied*": isBool, "status*": oneOf("denied"), "id*": isString, "message*": isString}
	healthSchema    = schema{"status*": isString, "timestamp*": isTime, "version*": isString, "services*": isObject}
	errorSchema     = schema{"error*": schema{
		"code*": isInt, "reason": isString, "field": isString, "message*": isString,
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
