package openai_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/openai"
	"github.com/mixagent/mix/internal/provider/providertest"
)

// decode reads a body from memory.
func decode(t testing.TB, body string) (*providertest.Answer, error) {
	t.Helper()
	p := openai.New(openai.Options{Name: "vendor", BaseURL: "http://vendor.test", Client: providertest.Client(body, nil)})
	return providertest.Collect(p.Name(), p.Stream(t.Context(), &provider.Request{Model: "m"}))
}

// deltas writes a stream of chunks with one choice each, and its end.
func deltas(finish string, list ...string) string {
	var b strings.Builder
	for _, d := range list {
		b.WriteString(`data: {"choices":[{"index":0,"delta":` + d + `,"finish_reason":null}]}` + "\n\n")
	}
	return b.String() + `data: {"choices":[{"index":0,"delta":{},"finish_reason":` + finish + "}]}\n\ndata: [DONE]\n\n"
}

func tool(id, name, input string) domain.Block {
	return domain.Block{Type: domain.BlockToolCall, CallID: id, Tool: name, Input: input}
}

func TestDecodeOddities(t *testing.T) {
	t.Parallel()
	text := []domain.Block{{Type: domain.BlockText, Text: "ab"}}
	for name, tt := range map[string]struct {
		body string
		want []domain.Block // an identifier "*" stands for any
		stop domain.FinishReason
	}{
		"no [DONE]": {
			strings.TrimSuffix(deltas(`"stop"`, `{"content":"a"}`, `{"content":"b"}`), "data: [DONE]\n\n"), text, domain.FinishEndTurn,
		},
		"no finish reason": {
			"data: {\"choices\":[{\"delta\":{\"content\":\"ab\"}}]}\n\ndata: [DONE]\n\n", text, domain.FinishUnknown,
		},
		"calls without finish reason": {
			"data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"x\",\"function\":{\"name\":\"n\"}}]}}]}\n\ndata:[DONE]\n\n",
			[]domain.Block{tool("x", "n", "{}")},
			domain.FinishToolUse,
		},
		"not a stream": {
			`{"choices":[{"index":0,"message":{"role":"assistant","content":"ab","tool_calls":[{"id":"x","type":"function","function":{"name":"n","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}]}`,
			append(text[:1:1], tool("x", "n", `{"a":1}`)), domain.FinishToolUse,
		},
		"nulls": {
			deltas(`"stop"`, `{"role":"assistant","content":null,"reasoning":null,"reasoning_content":null,"tool_calls":null,"refusal":null}`, `{"content":"ab"}`), text, domain.FinishEndTurn,
		},
		"content in parts": {
			deltas(`"stop"`, `{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"ab"}]}`),
			[]domain.Block{{Type: domain.BlockReasoning, Text: "hm", Vendor: "vendor"}, text[0]},
			domain.FinishEndTurn,
		},
		"reasoning under two names": {
			deltas(`"stop"`, `{"reasoning":"h","reasoning_content":"h","content":""}`, `{"reasoning":"m"}`, `{"content":"ab"}`),
			[]domain.Block{{Type: domain.BlockReasoning, Text: "hm", Vendor: "vendor"}, text[0]},
			domain.FinishEndTurn,
		},
		"refusal": {deltas(`"stop"`, `{"refusal":"ab"}`), text, domain.FinishRefusal},
		"filter":  {deltas(`"content_filter"`, `{"content":"ab"}`), text, domain.FinishRefusal},
		"length":  {deltas(`"length"`, `{"content":"ab"}`), text, domain.FinishMaxTokens},
		"stop after calls": {
			deltas(`"stop"`, `{"tool_calls":[{"index":0,"id":"x","function":{"name":"n","arguments":"{}"}}]}`), []domain.Block{tool("x", "n", "{}")}, domain.FinishToolUse,
		},
		"no index": {
			deltas(`"tool_calls"`,
				`{"tool_calls":[{"id":"x","function":{"name":"n","arguments":"{\"a\""}}]}`, `{"tool_calls":[{"function":{"arguments":":1}"}}]}`,
				`{"tool_calls":[{"id":"y","function":{"name":"n","arguments":"{"}}]}`, `{"tool_calls":[{"id":"y","function":{"arguments":"}"}}]}`),
			[]domain.Block{tool("x", "n", `{"a":1}`), tool("y", "n", "{}")},
			domain.FinishToolUse,
		},
		"no identifier": {
			deltas(`"tool_calls"`, `{"tool_calls":[{"index":0,"function":{"name":"n","arguments":"{}"}},{"index":1,"function":{"name":"o","arguments":"{}"}}]}`),
			[]domain.Block{tool("*", "n", "{}"), tool("*", "o", "{}")},
			domain.FinishToolUse,
		},
		"neither": {
			deltas(`"tool_calls"`, `{"tool_calls":[{"function":{"name":"n","arguments":"{}"}}]}`, `{"tool_calls":[{"function":{"name":"o","arguments":"{}"}}]}`),
			[]domain.Block{tool("*", "n", "{}"), tool("*", "o", "{}")},
			domain.FinishToolUse,
		},
		"always index 0": {
			deltas(`"tool_calls"`, `{"tool_calls":[{"index":0,"id":"x","function":{"name":"n","arguments":"{}"}}]}`, `{"tool_calls":[{"index":0,"id":"y","function":{"name":"n","arguments":"{\"b\":"}}]}`, `{"tool_calls":[{"index":0,"function":{"arguments":"2}"}}]}`),
			[]domain.Block{tool("x", "n", "{}"), tool("y", "n", `{"b":2}`)},
			domain.FinishToolUse,
		},
		"one identifier for two calls": {
			deltas(`"tool_calls"`, `{"tool_calls":[{"index":0,"id":"x","function":{"name":"n","arguments":"{}"}}]}`, `{"tool_calls":[{"index":1,"id":"x","function":{"name":"o","arguments":"{}"}}]}`),
			[]domain.Block{tool("x", "n", "{}"), tool("*", "o", "{}")},
			domain.FinishToolUse,
		},
		"name and identifier with every piece": {
			deltas(`"tool_calls"`, `{"tool_calls":[{"index":0,"id":"x","function":{"name":"n","arguments":"{"}}]}`, `{"tool_calls":[{"index":0,"id":"x","function":{"name":"n","arguments":"}"}}]}`),
			[]domain.Block{tool("x", "n", "{}")},
			domain.FinishToolUse,
		},
		"arguments as an object": {
			deltas(`"tool_calls"`, `{"tool_calls":[{"index":0,"id":"x","function":{"name":"n","arguments":{"a":1}}}]}`), []domain.Block{tool("x", "n", `{"a":1}`)}, domain.FinishToolUse,
		},
		"arguments before the name": {
			deltas(`"tool_calls"`, `{"tool_calls":[{"index":0,"id":"x","function":{"arguments":"{\"a\""}}]}`, `{"tool_calls":[{"index":0,"function":{"arguments":":1"}}]}`, `{"tool_calls":[{"index":0,"function":{"name":"n","arguments":"}"}}]}`),
			[]domain.Block{tool("x", "n", `{"a":1}`)},
			domain.FinishToolUse,
		},
		"pieces of two calls in turn": {
			deltas(`"tool_calls"`, `{"tool_calls":[{"index":0,"id":"x","function":{"name":"n","arguments":""}},{"index":1,"id":"y","function":{"name":"o","arguments":""}}]}`,
				`{"tool_calls":[{"index":1,"function":{"arguments":"{\"b\""}}]}`, `{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}`, `{"tool_calls":[{"index":1,"function":{"arguments":":2}"}}]}`),
			[]domain.Block{tool("x", "n", "{}"), tool("y", "o", `{"b":2}`)},
			domain.FinishToolUse,
		},
		"identifier and name with the second piece": {
			deltas(`"tool_calls"`, `{"tool_calls":[{"index":0,"id":"","function":{"name":"","arguments":"{"}}]}`, `{"tool_calls":[{"index":0,"id":"x","function":{"name":"n","arguments":"}"}}]}`),
			[]domain.Block{tool("*", "n", "{}")},
			domain.FinishToolUse,
		},
		"keys that come twice": {
			deltas(`"stop"`, `{"content":"no","content":"a"}`, `{"content":"x"},"delta":{"content":"b"}`), text, domain.FinishEndTurn,
		},
		"never a name": {
			deltas(`"tool_calls"`, `{"tool_calls":[{"index":0,"id":"x","function":{"arguments":"{}"}}]}`), []domain.Block{tool("x", "", "{}")}, domain.FinishToolUse,
		},
		"chunks without choices, other choices, an odd key": {
			"data: {\"choices\":[],\"prompt_filter_results\":[{}]}\n\ndata: {}\n\ndata: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"no\"}}]}\n\n" + deltas(`"stop"`, `{"content":"ab","reasoning_details":[{"x":"y"}]}`),
			text, domain.FinishEndTurn,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(t, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			for i := range tt.want {
				if tt.want[i].CallID == "*" && i < len(got.Blocks) {
					got.Blocks[i].CallID = "*"
				}
			}
			if diff := cmp.Diff(tt.want, got.Blocks); diff != "" || got.Stop != tt.stop {
				t.Errorf("stop %q, want %q, blocks differ (-want +got):\n%s", got.Stop, tt.stop, diff)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		chunk string
		want  domain.Usage
	}{
		"OpenAI":     {`{"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":30,"total_tokens":130,"prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":20}}}`, domain.Usage{Input: 36, Output: 30, CacheRead: 64, Reasoning: 20}},
		"xAI":        {`{"choices":[],"usage":{"prompt_tokens":361,"completion_tokens":26,"total_tokens":622,"completion_tokens_details":{"reasoning_tokens":235}}}`, domain.Usage{Input: 361, Output: 261, Reasoning: 235}},
		"OpenRouter": {`{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":5}}}`, domain.Usage{Input: 1, Output: 3, CacheRead: 4, CacheWrite: 5}},
		"DeepSeek":   {`{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":3,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6}}`, domain.Usage{Input: 6, Output: 3, CacheRead: 4}},
		"Moonshot":   {`{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":10,"completion_tokens":3,"cached_tokens":10}}]}`, domain.Usage{Output: 3, CacheRead: 10}},
		"Groq":       {`{"choices":[],"x_groq":{"usage":{"prompt_tokens":10,"completion_tokens":3}}}`, domain.Usage{Input: 10, Output: 3}},
		"with text":  {`{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":10,"completion_tokens":3}}`, domain.Usage{Input: 10, Output: 3}},
		"nonsense":   {`{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":-3,"prompt_tokens_details":{"cached_tokens":99},"completion_tokens_details":{"reasoning_tokens":-1}}}`, domain.Usage{CacheRead: 99}},
		"absent":     {`{"choices":[],"usage":null}`, domain.Usage{}},
	} {
		got, err := decode(t, "data: "+tt.chunk+"\n\n"+deltas(`"stop"`))
		if err != nil || got.Usage != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got.Usage, err, tt.want)
		}
	}
}

func TestErrorWithinChoice(t *testing.T) {
	t.Parallel()
	_, err := decode(t, strings.ReplaceAll(deltas(`"error"`, `{"content":"a"}`), "[DONE]", ""))
	if providertest.KindOf(err) != provider.KindInterrupted {
		t.Errorf("got %v", err)
	}
	_, err = decode(t, `data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":429,"message":"Slow down"}}`+"\n\n")
	if providertest.KindOf(err) != provider.KindRateLimit || !strings.Contains(err.Error(), "Slow down") {
		t.Errorf("got %v", err)
	}
	_, err = decode(t, `data: {"object":"error","message":"Slow down","code":429}`+"\n\n")
	if providertest.KindOf(err) != provider.KindRateLimit {
		t.Errorf("got %v", err)
	}
}

// FuzzDelta sends each text twice: in a chunk that the field scanner reads, and
// with an escape in a key, which it leaves to encoding/json.
func FuzzDelta(f *testing.F) {
	for _, s := range []string{"a", "\"\\/\b\f\n\r\t", "<>&\u2028🙂", "\x00\x1f\x7f", "\xff", `{"a":"\ud83d"}`} {
		f.Add(s)
	}
	const start = `{"tool_calls":[{"index":0,"id":"x","function":{"name":"n","arguments":""}}]}`
	f.Fuzz(func(t *testing.T, text string) {
		for _, delta := range []string{`{"content":%}`, `{"reasoning":%}`, `{"reasoning_content":%,"content":null}`, `{"tool_calls":[{"index":0,"function":{"arguments":%}}]}`} {
			delta = strings.Replace(delta, "%", quote(text), 1)
			fast, err := decode(t, deltas(`"stop"`, start, delta))
			if err != nil && strings.TrimSpace(text) != "" {
				t.Fatal(err)
			}
			slow, _ := decode(t, strings.ReplaceAll(deltas(`"stop"`, start, delta), "delta", `d\u0065lta`))
			if diff := cmp.Diff(slow.Deltas, fast.Deltas); diff != "" {
				t.Errorf("deltas differ (-encoding/json +scanner):\n%s", diff)
			}
			if utf8.ValidString(text) && text != "" && fast.Deltas[1].Text != text {
				t.Errorf("got %q, want %q", fast.Deltas[1].Text, text)
			}
		}
	})
}

// FuzzStream checks that no bytes make a decoder panic or break the rules that
// streams keep to.
func FuzzStream(f *testing.F) {
	f.Add(strings.Join(events(&providertest.Answer{
		Blocks: []domain.Block{{Type: domain.BlockText, Text: "a"}, tool("t", "n", "{}")}, Stop: domain.FinishToolUse,
	}), ""))
	f.Add(deltas(`"stop"`, `{"tool_calls":[{"id":"x","function":{"name":"n","arguments":" "}},{"index":null}]}`))
	f.Fuzz(func(t *testing.T, stream string) {
		if _, err := decode(t, stream); err != nil && (strings.Contains(err.Error(), "broke a rule") || strings.Contains(err.Error(), "not ended")) {
			t.Error(err)
		}
	})
}
