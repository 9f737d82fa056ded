package openai_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/openai"
	"github.com/mixagent/mix/internal/provider/providertest"
)

func body(t *testing.T, o openai.Options, req *provider.Request) string {
	t.Helper()
	return string(providertest.Body(t, func(c *http.Client) provider.Provider {
		o.Client = c
		return openai.New(o)
	}, req))
}

func say(role domain.Role, texts ...string) domain.Message {
	m := domain.Message{Role: role}
	for _, s := range texts {
		m.Blocks = append(m.Blocks, domain.Block{Type: domain.BlockText, Text: s})
	}
	return m
}

func TestRequestBytes(t *testing.T) {
	t.Parallel()
	req := &provider.Request{
		SessionID: "s1", Model: "gpt-5", System: "Be brief.", MaxTokens: 100, Effort: domain.EffortMaximum,
		Tools: []provider.Tool{
			{Name: "Read", Description: "Reads <a file>.", Schema: json.RawMessage(`{"type":"object"}`)},
			{Name: "Bash", Description: "Runs.", Schema: json.RawMessage(`{"type":"object"}`)},
		},
		Messages: []domain.Message{
			say(domain.RoleUser, "Date: today", "Hi"),
			{
				Role: domain.RoleAssistant,
				Blocks: []domain.Block{
					{Type: domain.BlockReasoning, Text: "Hm", Vendor: "openai"},
					{Type: domain.BlockText, Text: "I "},
					{Type: domain.BlockText, Text: "look."},
					tool("functions.read:0", "Read", `{"path": "a"}`), tool("t2", "Bash", `{"broken`),
				},
				Calls: []domain.ToolCall{{CallID: "functions.read:0", State: domain.CallFinished, Text: "é"}, {CallID: "t2", State: domain.CallDenied, Text: "No."}},
			},
			say(domain.RoleUser, "Go on"),
			{Role: domain.RoleAssistant, Blocks: []domain.Block{tool("t3", "Read", "{}")}, Calls: []domain.ToolCall{{CallID: "t3", State: domain.CallFinished}}},
		},
	}
	messages := `"tools":[{"type":"function","function":{"name":"Read","description":"Reads <a file>.","parameters":{"type":"object"}}},` +
		`{"type":"function","function":{"name":"Bash","description":"Runs.","parameters":{"type":"object"}}}],` +
		`"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Date: today\n\nHi"},` +
		`{"role":"assistant","content":"I look.",%"tool_calls":[{"id":"functions.read:0","type":"function","function":{"name":"Read","arguments":"{\"path\": \"a\"}"}},` +
		`{"id":"t2","type":"function","function":{"name":"Bash","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"functions.read:0","content":"é"},{"role":"tool","tool_call_id":"t2","content":"Error: No."},{"role":"user","content":"Go on"},` +
		`{"role":"assistant","content":null,"tool_calls":[{"id":"t3","type":"function","function":{"name":"Read","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t3","content":"(no output)"}]}`

	want := `{"model":"gpt-5","stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":100,"reasoning_effort":"high","prompt_cache_key":"s1",` + strings.Replace(messages, "%", "", 1)
	if diff := cmp.Diff(want, body(t, openai.OpenAI("key", ""), req)); diff != "" {
		t.Errorf("OpenAI: body differs (-want +got):\n%s", diff)
	}
	local := openai.Local("http://127.0.0.1:1")
	local.Name, local.ReasoningField = "openai", "reasoning_content"
	want = `{"model":"gpt-5","stream":true,"stream_options":{"include_usage":true},"max_tokens":100,"reasoning_effort":"high",` + strings.Replace(messages, "%", `"reasoning_content":"Hm",`, 1)
	if diff := cmp.Diff(want, body(t, local, req)); diff != "" {
		t.Errorf("a server of one's own: body differs (-want +got):\n%s", diff)
	}
	want = `{"model":"gpt-5","stream":true,"stream_options":{"include_usage":true},"max_tokens":100,"reasoning":{"effort":"high"},` + strings.Replace(messages, "%", "", 1)
	if diff := cmp.Diff(want, body(t, openai.OpenRouter("key"), req)); diff != "" {
		t.Errorf("OpenRouter: body differs (-want +got):\n%s", diff)
	}
	if got := body(t, local, &provider.Request{Model: "m"}); got != `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}` {
		t.Errorf("an empty request is %s", got)
	}
}

func TestEffortByModel(t *testing.T) {
	t.Parallel()
	for model, reasons := range map[string]bool{
		"gpt-5-mini": true, "o4-mini": true, "o3": true, "openai/gpt-oss-20b": true, "grok-3-mini": true, "glm-4.7-flash": true,
		"gpt-4o": false, "gpt-5-chat-latest": false, "llama-3.3-70b": false, "": false,
	} {
		for effort, want := range map[domain.Effort]string{
			domain.EffortDefault: "", domain.EffortOff: "", domain.EffortBasic: "low", domain.EffortMedium: "medium", domain.EffortMaximum: "high",
		} {
			if !reasons {
				want = ""
			}
			if got := openai.EffortByModel(model, effort); got.Level != want || got.Object {
				t.Errorf("%s with %q: %+v, want %q", model, effort, got, want)
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"http://localhost:11434":         "http://localhost:11434/v1/chat/completions",
		"http://localhost:11434/":        "http://localhost:11434/v1/chat/completions",
		"http://localhost:8080/v1/":      "http://localhost:8080/v1/chat/completions",
		"https://a.test/openai/v1?api=2": "https://a.test/openai/v1/chat/completions?api=2",
	} {
		var got string
		client := &http.Client{Transport: transport(func(r *http.Request) { got = r.URL.String() })}
		p := openai.New(openai.Options{Name: "local", BaseURL: base, Client: client})
		for range p.Stream(t.Context(), &provider.Request{Model: "m"}) {
		}
		if got != want {
			t.Errorf("%s calls %s, want %s", base, got, want)
		}
	}
	for _, err := range openai.New(openai.Local("")).Stream(t.Context(), &provider.Request{Model: "m"}) {
		if err == nil || !strings.Contains(err.Error(), "MIX_LOCAL_BASE_URL") {
			t.Errorf("without an address: %v", err)
		}
	}
}

type transport func(*http.Request)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	f(r)
	return &http.Response{StatusCode: http.StatusTeapot, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// TestNoKeyIsSentWithoutOne checks that servers of one's own see no empty key.
func TestNoKeyIsSentWithoutOne(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: transport(func(r *http.Request) {
		if h, there := r.Header["Authorization"]; there {
			t.Errorf("sent %q", h)
		}
	})}
	p := openai.New(openai.Options{Name: "local", BaseURL: "http://localhost:1", Client: client})
	for range p.Stream(t.Context(), &provider.Request{Model: "m"}) {
	}
}
