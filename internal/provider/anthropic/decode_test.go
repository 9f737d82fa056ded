package anthropic_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/provider/anthropic"
	"github.com/mixagent/mix/internal/provider/providertest"
)

// decode reads a stream from memory.
func decode(t testing.TB, stream string) (*providertest.Answer, error) {
	t.Helper()
	p := anthropic.New(anthropic.Options{APIKey: "key", Client: providertest.Client(stream, nil)})
	return providertest.Collect(p.Name(), p.Stream(t.Context(), &provider.Request{Model: "m"}))
}

const (
	toolStart = `{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"t","name":"Read","input":%}}`
	blockStop = `{"type":"content_block_stop","index":3}`
	toolStop  = `{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}}`
	endMark   = `{"type":"message_stop"}`
)

func stream(data ...string) string {
	var b strings.Builder
	for _, d := range data {
		b.WriteString(event(d))
	}
	return b.String()
}

func TestDecodeOddities(t *testing.T) {
	t.Parallel()
	start := strings.Replace(toolStart, "%", "{}", 1)
	for name, tt := range map[string]struct {
		stream string
		want   []domain.Block
		stop   domain.FinishReason
	}{
		"input with the block's start": {
			stream(strings.Replace(toolStart, "%", `{"a":1}`, 1), blockStop, toolStop, endMark),
			[]domain.Block{{Type: domain.BlockToolCall, CallID: "t", Tool: "Read", Input: `{"a":1}`}},
			domain.FinishToolUse,
		},
		"no input": {
			stream(start, `{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}`, blockStop, toolStop, endMark),
			[]domain.Block{{Type: domain.BlockToolCall, CallID: "t", Tool: "Read", Input: `{}`}},
			domain.FinishToolUse,
		},
		"no end of the block": {
			stream(start, toolStop, endMark),
			[]domain.Block{{Type: domain.BlockToolCall, CallID: "t", Tool: "Read", Input: `{}`}},
			domain.FinishToolUse,
		},
		"keys in another order, white space, unknown keys": {
			stream(` { "delta" : { "text" : "a" , "type" : "text_delta" } , "x" : [ { } ] , "index" : 0 , "type" : "content_block_delta" } `, endMark),
			[]domain.Block{{Type: domain.BlockText, Text: "a"}},
			domain.FinishUnknown,
		},
		"no event names": {
			"data: " + `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}` + "\n\ndata: " + endMark + "\n\n",
			[]domain.Block{{Type: domain.BlockText, Text: "a"}},
			domain.FinishUnknown,
		},
		"unknown events and blocks": {
			stream(
				`{"type":"new_event","index":{"a":1},"delta":7}`,
				`{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}`,
				`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}`,
				`{"type":"content_block_stop","index":0}`,
				`{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{}}}`,
				`{"type":"content_block_start","index":2,"content_block":{"type":"redacted_thinking","data":"ZGF0YQ"}}`,
				`{"type":"message_delta","delta":{"stop_reason":"refusal"}}`, endMark,
			),
			[]domain.Block{{Type: domain.BlockReasoning, Opaque: "ZGF0YQ", Redacted: true, Vendor: "anthropic"}},
			domain.FinishRefusal,
		},
		"text with the block's start": {
			stream(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}`, `{"type":"message_delta","delta":{"stop_reason":"max_tokens"}}`, endMark),
			[]domain.Block{{Type: domain.BlockText, Text: "a"}},
			domain.FinishMaxTokens,
		},
		"nothing behind the end mark counts": {
			stream(`{"type":"message_delta","delta":{"stop_reason":"stop_sequence"}}`, endMark, `{"type":"error","error":{}}`),
			nil, domain.FinishEndTurn,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(t, tt.stream)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Blocks); diff != "" || got.Stop != tt.stop {
				t.Errorf("stop %q, blocks differ (-want +got):\n%s", got.Stop, diff)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	got, err := decode(t, stream(
		`{"type":"message_start","message":{"usage":{"input_tokens":3,"cache_creation_input_tokens":4,"cache_read_input_tokens":5,"output_tokens":1}}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}`,
		`{"type":"message_delta","delta":{},"usage":{"input_tokens":6,"output_tokens":10}}`,
		endMark,
	))
	want := domain.Usage{Input: 6, Output: 10, CacheRead: 5, CacheWrite: 4}
	if err != nil || got.Usage != want || got.Stop != domain.FinishEndTurn {
		t.Errorf("%+v, %q, %v; want %+v", got.Usage, got.Stop, err, want)
	}
}

// FuzzDelta sends each text twice: in a frame that the field scanner reads, and
// with an escape in a key, which it leaves to encoding/json.
func FuzzDelta(f *testing.F) {
	for _, s := range []string{"a", "\"\\/\b\f\n\r\t", "<>&\u2028🙂", "\x00\x1f\x7f", "\xff", `{"a":"\ud83d"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range [][2]string{{"text_delta", "text"}, {"thinking_delta", "thinking"}, {"input_json_delta", "partial_json"}, {"signature_delta", "signature"}} {
			frame := `{"type":"content_block_delta","index":3,"delta":{"type":"` + kind[0] + `","` + kind[1] + `":` + quote(text) + `}}`
			fast, err := decode(t, stream(strings.Replace(toolStart, "%", "{}", 1), frame, endMark))
			if err != nil && strings.TrimSpace(text) != "" {
				t.Fatal(err)
			}
			slow, _ := decode(t, stream(strings.Replace(toolStart, "%", "{}", 1), strings.Replace(frame, "type", `typ\u0065`, 1), endMark))
			if diff := cmp.Diff(slow.Deltas, fast.Deltas); diff != "" {
				t.Errorf("deltas differ (-encoding/json +scanner):\n%s", diff)
			}
			if want := strings.ToValidUTF8(text, "\ufffd"); utf8.ValidString(text) && text != "" && fast.Deltas[1].Text != want {
				t.Errorf("got %q, want %q", fast.Deltas[1].Text, want)
			}
		}
	})
}

// FuzzStream checks that no bytes make a decoder panic or break the rules that
// streams keep to.
func FuzzStream(f *testing.F) {
	f.Add(strings.Join(events(&providertest.Answer{
		Blocks: []domain.Block{{Type: domain.BlockText, Text: "a"}, {Type: domain.BlockToolCall, CallID: "t", Tool: "n", Input: "{}"}},
		Stop:   domain.FinishToolUse,
	}), ""))
	f.Add(stream(strings.Replace(toolStart, "%", "null", 1), blockStop, blockStop, toolStop, endMark))
	f.Fuzz(func(t *testing.T, stream string) {
		if _, err := decode(t, stream); err != nil && (strings.Contains(err.Error(), "broke a rule") || strings.Contains(err.Error(), "not ended")) {
			t.Error(err)
		}
	})
}
