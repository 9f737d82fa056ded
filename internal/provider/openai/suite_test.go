package openai_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/openai"
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
			return openai.New(openai.Options{
				Name: "vendor", BaseURL: s.BaseURL, APIKey: s.Key, KeyEnv: "VENDOR_API_KEY", Client: s.Client, Idle: s.Idle,
				ReasoningField: "reasoning_content",
			})
		},
		Path:       "/v1/chat/completions",
		KeyHeader:  "Authorization",
		KeyEnv:     "VENDOR_API_KEY",
		Events:     events,
		ErrorEvent: "data: " + `{"error":{"message":"Overloaded","type":"server_error","code":503}}` + "\n\n",
		Garbage: []string{
			"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]\n\n",
			"data: {\"choices\":{}}\n\n",
			"data: {\"choices\":[7]}\n\n",
			"data: {\"choices\":[{\"delta\":{\"tool_calls\":\"x\"}}]}\n\n",
			"data: [DONE\n\n",
		},
		Refusals: []providertest.Refusal{
			refusal("bad key", 401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-***.", provider.KindAuthentication, "Set VENDOR_API_KEY"),
			refusal("not allowed", 403, "invalid_request_error", "unsupported_country", "Country not supported", provider.KindPermission, "does not allow"),
			refusal("no credit", 429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota", provider.KindQuota, "credit"),
			refusal("unknown model", 404, "invalid_request_error", "model_not_found", "The model does not exist", provider.KindNotFound, "does not know model-1"),
			refusal("too long", 400, "invalid_request_error", "context_length_exceeded", "This model's maximum context length is 8192 tokens.", provider.KindContextTooLong, "too long"),
			refusal("too long for llama.cpp", 400, "exceed_context_size_error", "400", "the request exceeds the available context size", provider.KindContextTooLong, "too long"),
			refusal("too long for Groq", 413, "tokens", "rate_limit_exceeded", "Request too large, please reduce your message size", provider.KindContextTooLong, "too long"),
			refusal("rate limit", 429, "requests", "rate_limit_exceeded", "Rate limit reached for model-1", provider.KindRateLimit, "limits the rate"),
			refusal("bad request", 400, "invalid_request_error", "", "Invalid value for 'x'", provider.KindBadRequest, "Invalid value"),
			refusal("trouble", 503, "server_error", "", "The engine is overloaded", provider.KindOverloaded, "overloaded"),
			{Name: "a string", Status: 400, Body: `{"error":"context window exceeded"}`, Kind: provider.KindContextTooLong, Says: "too long"},
			{Name: "without error around it", Status: 404, Body: `{"object":"error","message":"no such model","code":404}`, Kind: provider.KindNotFound, Says: "no such model"},
			{Name: "a detail", Status: 401, Body: `{"detail":"Unauthorized"}`, Kind: provider.KindAuthentication, Says: "Unauthorized"},
			{Name: "a number as code", Status: 402, Body: `{"error":{"message":"Insufficient credits","code":402}}`, Kind: provider.KindQuota, Says: "Insufficient credits"},
		},
		History: history,
	}
}

func refusal(name string, status int, kind, code, message string, want provider.Kind, says string) providertest.Refusal {
	body := fmt.Sprintf(`{"error":{"message":%q,"type":%q,"param":null,"code":%q}}`, message, kind, code)
	return providertest.Refusal{Name: name, Status: status, Body: body, Kind: want, Says: says}
}

// events writes an answer as the vendor does, each text in two pieces.
func events(a *providertest.Answer) []string {
	var all []string
	chunk := func(delta, finish string) {
		all = append(all, fmt.Sprintf("data: "+`{"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}],"usage":null}`+"\n\n", delta, finish))
	}
	chunk(`{"role":"assistant","content":""}`, "null")
	call := 0
	for _, b := range a.Blocks {
		form, text := `{"content":%s}`, b.Text
		switch b.Type {
		case domain.BlockReasoning:
			form = `{"reasoning_content":%s}`
		case domain.BlockToolCall:
			chunk(fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":%s,"type":"function","function":{"name":%s,"arguments":""}}]}`, call, quote(b.CallID), quote(b.Tool)), "null")
			form, text = fmt.Sprintf(`{"tool_calls":[{"index":%d,"function":{"arguments":%%s}}]}`, call), b.Input
			call++
		}
		half := len([]rune(text)) / 2
		for _, piece := range []string{string([]rune(text)[:half]), string([]rune(text)[half:])} {
			chunk(fmt.Sprintf(form, quote(piece)), "null")
		}
	}
	finish := map[domain.FinishReason]string{domain.FinishToolUse: "tool_calls", domain.FinishEndTurn: "stop"}[a.Stop]
	chunk("{}", quote(finish))
	u := a.Usage
	all = append(all, fmt.Sprintf("data: "+`{"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d}}}`+"\n\n", u.Prompt(), u.Output, u.CacheRead))
	return append(all, "data: [DONE]\n\n")
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
