package anthropic_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/anthropic"
	"github.com/mixagent/mix/internal/provider/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	t.Parallel()
	wire().Run(t)
}

func TestAllocs(t *testing.T) { providertest.Allocs(t, wire()) }

func wire() providertest.Wire {
	return providertest.Wire{
		New: func(s providertest.Setup) provider.Provider {
			return anthropic.New(anthropic.Options{BaseURL: s.BaseURL, APIKey: s.Key, Client: s.Client, Idle: s.Idle})
		},
		Path:       "/v1/messages",
		KeyHeader:  "X-Api-Key",
		KeyEnv:     "ANTHROPIC_API_KEY",
		Events:     events,
		ErrorEvent: event(`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`),
		Garbage: []string{
			event(`{"type":"content_block_delta","index":"0"}`),
			event(`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}`),
			event(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}`),
			event(`{"type":"error"}`),
			event(`{"type":7}`),
		},
		Refusals: []providertest.Refusal{
			refusal("bad key", 401, "authentication_error", "invalid x-api-key", provider.KindAuthentication, "Set ANTHROPIC_API_KEY"),
			refusal("not allowed", 403, "permission_error", "Your API key does not have permission", provider.KindPermission, "does not allow this key"),
			refusal("no credit", 400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", provider.KindQuota, "credit"),
			refusal("unknown model", 404, "not_found_error", "model: model-1", provider.KindNotFound, "does not know model-1"),
			refusal("too long", 400, "invalid_request_error", "prompt is too long: 212345 tokens > 200000 maximum", provider.KindContextTooLong, "too long for model-1"),
			refusal("too long with answer", 400, "invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 3", provider.KindContextTooLong, "compact"),
			refusal("too many bytes", 413, "request_too_large", "Request exceeds the maximum size", provider.KindContextTooLong, "413"),
			refusal("bad request", 400, "invalid_request_error", "messages: at least one message is required", provider.KindBadRequest, "at least one message"),
			refusal("rate limit", 429, "rate_limit_error", "This request would exceed your organization's rate limit", provider.KindRateLimit, "limits the rate"),
			refusal("overloaded", 529, "overloaded_error", "Overloaded", provider.KindOverloaded, "overloaded"),
			refusal("internal", 500, "api_error", "Internal server error", provider.KindOverloaded, "500"),
		},
		History: history,
	}
}

func refusal(name string, status int, kind, message string, want provider.Kind, says string) providertest.Refusal {
	body := fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%q},"request_id":"req_1"}`, kind, message)
	return providertest.Refusal{Name: name, Status: status, Body: body, Kind: want, Says: says}
}

// event is one event with its name and data.
func event(data string) string {
	var f struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal([]byte(data), &f)
	return "event: " + f.Type + "\ndata: " + data + "\n\n"
}

// events writes an answer as the vendor does: each block in two pieces.
func events(a *providertest.Answer) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, event(fmt.Sprintf(format, args...))) }
	add(`{"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":1}}}`,
		a.Usage.Input, a.Usage.CacheWrite, a.Usage.CacheRead)
	add(`{"type": "ping"}`)
	for i, b := range a.Blocks {
		start := map[domain.BlockType]string{
			domain.BlockText:      `{"type":"text","text":""}`,
			domain.BlockReasoning: `{"type":"thinking","thinking":"","signature":""}`,
			domain.BlockToolCall:  fmt.Sprintf(`{"type":"tool_use","id":%s,"name":%s,"input":{}}`, quote(b.CallID), quote(b.Tool)),
		}[b.Type]
		add(`{"type":"content_block_start","index":%d,"content_block":%s}`, i, start)
		kind, field, text := "text_delta", "text", b.Text
		switch b.Type {
		case domain.BlockReasoning:
			kind, field = "thinking_delta", "thinking"
		case domain.BlockToolCall:
			kind, field, text = "input_json_delta", "partial_json", b.Input
		}
		half := len([]rune(text)) / 2
		for _, piece := range []string{string([]rune(text)[:half]), string([]rune(text)[half:])} {
			add(`{"type":"content_block_delta","index":%d,"delta":{"type":%q,%q:%s}}`, i, kind, field, quote(piece))
		}
		if b.Type == domain.BlockReasoning {
			add(`{"type":"content_block_delta","index":%d,"delta":{"type":"signature_delta","signature":%s}}`, i, quote(b.Opaque))
		}
		add(`{"type":"content_block_stop","index":%d}`, i)
	}
	add(`{"type":"message_delta","delta":{"stop_reason":%s,"stop_sequence":null},"usage":{"output_tokens":%d}}`, quote(string(a.Stop)), a.Usage.Output)
	add(`{"type":"message_stop"}`)
	return all
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
